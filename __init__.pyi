from . import analysis as analysis, bench as bench, brain_data as brain_data, models as models
from .bench import (
    Study as Study,
    compare as compare,
    list_benchmarks as list_benchmarks,
    load_benchmark as load_benchmark,
    score as score,
    score_over_time as score_over_time,
    submit as submit,
)
from .brain_data import (
    add_dataset as add_dataset,
    list_datasets as list_datasets,
    load_dataset as load_dataset,
)
from .errors import UserError as UserError
from .models import add_model as add_model, list_models as list_models, load_model as load_model

__version__: str
