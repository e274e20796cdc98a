from .storage.board import Board as Board, Receipt as Receipt, Refused as Refused
from .storage.database import open_board as open_board
from .submission.build import gathered as gathered
from .submission.schema import Submission as Submission, parse_submission as parse_submission
from .web.app import make_app as make_app
from .web.static_site import write_site as write_site
