"""BIDS folders that are damaged, do not fit together or leave a choice open: one line each."""

import json
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest

from brodmann import UserError

from .bids_folders import AFFINE, GRID, SPACE, events_of, save_volumes, write_run
from .test_bids import BOLD, gifti_folder, read

MASK = np.arange(24).reshape(GRID) % 3 > 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("bids") / "study"
    for run in (1, 2):
        write_run(place, "01", run)
    return place


@pytest.fixture
def study(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "study")


def func(place):
    return place / "derivatives" / "fmriprep" / "sub-01" / "func"


def bold(place, run=2):
    return func(place) / f"sub-01_task-view_run-{run}_{SPACE}_desc-preproc_bold.nii.gz"


def confounds(place):
    return func(place) / "sub-01_task-view_run-2_desc-confounds_timeseries.tsv"


def events(place):
    return place / "sub-01" / "func" / "sub-01_task-view_run-2_events.tsv"


def save_events(place, table):
    table.to_csv(events(place), sep="\t", index=False)


def cut(place):
    raw = bold(place).read_bytes()
    bold(place).write_bytes(raw[: len(raw) // 2])


def cut_unpacked(place):
    path = bold(place).with_name(bold(place).name.removesuffix(".gz"))
    nibabel.save(nibabel.load(bold(place)), path)
    bold(place).unlink()
    path.write_bytes(path.read_bytes()[:3000])


def damage(place):
    raw = bytearray(bold(place).read_bytes())
    raw[2000:2400] = bytes(400)
    bold(place).write_bytes(bytes(raw))


def move(place):
    affine = AFFINE.copy()
    affine[0, 3] += 1.5
    save_volumes(bold(place), BOLD, affine=affine)


def flatten_affine(place):
    affine = AFFINE.copy()
    affine[:, 0] = 0
    image = nibabel.Nifti1Image(BOLD.T.reshape(*GRID, -1), None)
    image.header.set_sform(affine, code=1)
    image.header.set_zooms((3, 3, 3, 2.0))
    nibabel.save(image, bold(place))


def other_grid(place):
    save_volumes(bold(place), BOLD[:, :12], grid=(4, 3, 1))


def one_volume(place):
    nibabel.save(nibabel.Nifti1Image(np.ones(GRID, np.float32), AFFINE), bold(place))


def nan_volumes(place):
    series = BOLD.copy()
    series[[5, 9]] = np.nan
    save_volumes(bold(place), series)


def centered(place):
    save_volumes(bold(place), BOLD - BOLD.mean(axis=0))


def small_mask(place):
    path = str(bold(place)).replace("preproc_bold", "brain_mask")
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 1), np.uint8), AFFINE), path)


def empty_mask(place):
    path = str(bold(place)).replace("preproc_bold", "brain_mask")
    nibabel.save(nibabel.Nifti1Image(np.zeros(GRID, np.uint8), AFFINE), path)


def no_mask(place):
    for path in func(place).glob("*_mask.nii.gz"):
        path.unlink()


def milliseconds(place):
    save_events(place, events_of(2).assign(onset=events_of(2)["onset"] * 1000))


def lasting_milliseconds(place):
    save_events(place, events_of(2).assign(duration=1500))


def no_onset(place):
    save_events(place, events_of(2).rename(columns={"onset": "start"}))


def word_as_onset(place):
    save_events(place, events_of(2).astype({"onset": object}).replace({"onset": {6.0: "soon"}}))


def negative_duration(place):
    save_events(place, events_of(2).assign(duration=[1, 1, -1, 1, 1, 1]))


def same_time(place):
    save_events(place, events_of(2).assign(onset=[6, 6, 22, 30, 38, 46]))


def too_many(place):
    save_events(
        place, pd.concat([events_of(2).assign(onset=6.0 + 17 * i + np.arange(6)) for i in range(6)] * 2)
    )


def no_events(place):
    events(place).unlink()


def no_names(place):
    save_events(place, events_of(2).drop(columns=["stim_file", "trial_type"]))
    (events(place).parent / "sub-01_task-view_run-1_events.tsv").write_bytes(events(place).read_bytes())


def leading_out(place):
    save_events(place, events_of(2).assign(stim_file="../../secret.png"))


def some_pictures(place):
    (place / "stimuli" / "images").mkdir(parents=True)
    (place / "stimuli" / "images" / "im0.png").write_bytes(b"a picture")


def not_a_table(place):
    events(place).write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\x00")


def short_confounds(place):
    lines = confounds(place).read_text().splitlines()
    confounds(place).write_text("\n".join(lines[:-3]) + "\n")


def holes_in_confounds(place):
    table = pd.read_csv(confounds(place), sep="\t")
    table.loc[7, "trans_y"] = np.nan
    table.to_csv(confounds(place), sep="\t", index=False, na_rep="n/a")


def fewer_confounds(place):
    table = pd.read_csv(confounds(place), sep="\t").drop(columns="rot_z")
    table.to_csv(confounds(place), sep="\t", index=False, na_rep="n/a")


def no_tr(place):
    (place / "task-view_bold.json").unlink()
    for path in func(place).glob("*_bold.json"):
        path.write_text("{}")


def sidecar(content):
    def write(place):
        (func(place) / bold(place).name.replace(".nii.gz", ".json")).write_text(content)

    return write


def other_tr(place):
    sidecar('{"RepetitionTime": 1.5}')(place)
    save_volumes(bold(place), BOLD, tr=1.5)


def two_images(place):
    path = bold(place).with_name(bold(place).name.removesuffix(".gz"))
    nibabel.save(nibabel.load(bold(place)), path)


def renamed(old, new):
    def rename(place):
        for path in func(place).glob(f"*{old}*"):
            path.rename(path.with_name(path.name.replace(old, new)))

    return rename


def another_task(place):
    shutil.copyfile(bold(place), func(place) / bold(place).name.replace("task-view", "task-rest"))


def another_pipeline(place):
    shutil.copytree(place / "derivatives" / "fmriprep", place / "derivatives" / "mine")


def link_out(place):
    outside = place.parent / "outside.nii.gz"
    bold(place).rename(outside)
    bold(place).symlink_to(outside)


def link_to_nowhere(place):
    bold(place).unlink()
    bold(place).symlink_to("../../.git/annex/objects/XX/key")


def no_bold(place):
    for path in place.rglob("*_bold.*"):
        path.unlink()


BROKEN = {
    "truncated": (cut, {}, r"run-2.*_bold.nii.gz is damaged \(it is cut off\)"),
    "truncated, unpacked": (cut_unpacked, {}, r"is cut off: its header says 6,112 bytes, and it has 3,000"),
    "damaged": (damage, {}, r"run-2.*_bold.nii.gz is damaged \(CRC check failed"),
    "elsewhere": (move, {}, r"lies elsewhere than .*run-1.*: their affines differ by up to 1.5: bring"),
    "no affine": (flatten_affine, {}, r"run-2.* is not a readable NIfTI image \(its affine is damaged"),
    "another grid": (other_grid, {}, r"run-2.* is of shape 4 x 3 x 1, and .*run-1.* of 4 x 3 x 2"),
    "no series": (one_volume, {}, r"is no series of volumes: it holds one"),
    "NaN volumes": (nan_volumes, {}, r"run-2.*: 2 of 60 samples hold no number \(first: sample 5\)"),
    "NaN volumes of a series": (nan_volumes, {"series": "yes"}, r"2 of 60 samples hold no number"),
    "one run without its mean": (centered, {}, r"run-2.* lacks the mean of its signal, unlike the runs before"),
    "mask of another shape": (small_mask, {}, r"brain_mask.nii.gz is of shape 4 x 3 x 1"),
    "empty mask": (empty_mask, {}, r"brain_mask.nii.gz is an empty mask"),
    "no mask": (no_mask, {}, r"there is no mask beside .*: name one by --mask FILE"),
    "durations in ms": (lasting_milliseconds, {}, r"an event lasts 1500 s, longer than its run of 120.98 s"),
    "events in ms": (milliseconds, {}, r"6 of 6 events are outside of their run, which ends at 120.98 s"),
    "no onset": (no_onset, {}, r"events.tsv has no columns 'onset' and 'duration', but 'start', 'duration'"),
    "onset a word": (word_as_onset, {}, r"onset in row 1 is 'soon', not a number of seconds"),
    "negative duration": (negative_duration, {}, r"row 3 has a negative duration"),
    "trials at the same time": (same_time, {}, r"sub-01 run-2: the .* columns of a GLM are only .* independent ones"),
    "more trials than samples": (too_many, {}, r"needs more than 59 samples: take --betas separate"),
    "no events": (no_events, {}, r"there are no events of .*run-2.*: name the raw BIDS folder, .* by --events"),
    "no events in a series": (no_events, {"series": "yes"}, r"no events of .*run-2.*, though other runs have them"),
    "no name of a stimulus": (no_names, {}, r"neither 'stim_file' nor 'trial_type', .* by --stimulus-column"),
    "no such column": (None, {"stimulus_column": "word"}, r"have no column 'word', but onset, duration, trial_type"),
    "stim_file leads out": (leading_out, {}, r"stim_file '../../secret.png' leads out of .*: refused"),
    "some pictures": (some_pictures, {}, r"5 of 6 pictures are not in .*stimuli \(first: images/im\d.png\)"),
    "no table": (not_a_table, {}, r"events.tsv is not a table with tabs|has no columns 'onset'"),
    "short confounds": (short_confounds, {}, r"confounds_timeseries.tsv has 57 rows and the image of its run 60"),
    "holes in confounds": (
        holes_in_confounds, {"confounds": "motion=basic"}, r"confound 'trans_y' has no number in sample 7",
    ),
    "confounds that are not there": (
        fewer_confounds, {"confounds": "motion=basic"}, r"cannot be read by this strategy: .*rot_z",
    ),
    "unknown confounds": (None, {"confounds": "movement"}, r"unknown strategy of confounds 'movement'"),
    "no TR": (no_tr, {}, r"no JSON file says the RepetitionTime of .*; its header says 2: say it by --tr"),
    "TR a word": (sidecar('{"RepetitionTime": "two"}'), {}, r"RepetitionTime of .*run-2.* is 'two', not seconds"),
    "StartTime in ms": (sidecar('{"StartTime": 980}'), {}, r"StartTime of .*run-2.* is 980, not seconds between 0"),
    "sparse": (sidecar('{"VolumeTiming": [0, 3, 9]}'), {}, r"was acquired with pauses \(VolumeTiming\)"),
    "damaged JSON": (sidecar('{"RepetitionTime": 2.0'), {}, r"run-2.*_bold.json"),
    "JSON of a list": (sidecar("[2.0]"), {}, r"_bold.json must hold an object in braces, not list"),
    "mixed sampling rates": (
        other_tr, {"series": "yes"}, r"runs are sampled every 2 s \(.*run-1.*\) and every 1.5 s \(.*run-2",
    ),
    "two images of a run": (two_images, {}, r"sub-01 has 2 images of run-2, .*: keep one"),
    "echoes": (renamed("_space", "_echo-2_space"), {}, r"is one echo of several: combine them first"),
    "no preprocessed image": (
        renamed("desc-preproc", "desc-clean"), {}, r"has no BOLD image named desc-preproc, but desc-clean",
    ),
    "several tasks": (another_task, {}, r"has tasks rest, view: say which by --task"),
    "unknown task": (None, {"task": "rest"}, r"unknown task of the recording 'rest'"),
    "unknown space": (None, {"space": "T1w"}, r"unknown space of the recording 'T1w'"),
    "unknown subject": (None, {"subject": "sub-07"}, r"unknown subject of the recording '07'"),
    "several pipelines": (another_pipeline, {}, r"of several pipelines \(derivatives/fmriprep, derivatives/mine\)"),
    "link out": (link_out, {}, r"is a link out of its folder .*: refused"),
    "link to nowhere": (link_to_nowhere, {}, r"is a link to nowhere: fetch the file first \(datalad get"),
    "no BOLD": (no_bold, {}, r"holds no BOLD image in sub-\*/func"),
    "unknown betas": (None, {"betas": "lss"}, r"unknown kind of --betas 'lss'"),
    "unknown response": (None, {"hrf": "fir"}, r"unknown haemodynamic response 'fir'"),
    "series neither yes nor no": (None, {"series": "maybe"}, r"--series must be 'yes' or 'no'"),
    "betas of a series": (None, {"series": "yes", "betas": "all"}, r"--betas is of responses to trials"),
    "option of another format": (None, {"band": "70,150"}, r"unknown option of bids '--band'"),
    "no such mask": (None, {"mask": "nowhere.nii"}, r"--mask nowhere.nii: there is no such file"),
    "mesh of volumes": (None, {"surface": "L=nowhere.gii"}, r"--surface: there is no file nowhere.gii"),
    "TR below 0": (None, {"tr": "-2"}, r"--tr must be seconds above 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_said_in_one_line(case, study):
    spoil, options, expected = BROKEN[case]
    if spoil is not None:
        spoil(study)
    with pytest.raises(UserError, match=expected) as caught:
        read(study, **options)
    assert "\n" not in str(caught.value)


def short_hemisphere(place):
    path = next(place.rglob("*hemi-R*.func.gii"))
    image = nibabel.load(path)
    nibabel.save(nibabel.GiftiImage(darrays=image.darrays[:50]), path)


def cut_gifti(place):
    path = next(place.rglob("*hemi-L*.func.gii"))
    path.write_bytes(path.read_bytes()[:5000])


def cut_cifti(place):
    path = next(place.rglob("*.dtseries.nii"))
    path.write_bytes(path.read_bytes()[:-2000])


def volumes_as_cifti(place):
    path = next(place.rglob("*.dtseries.nii"))
    nibabel.save(nibabel.Nifti2Image(np.zeros((3, 3, 3, 60), np.float32), AFFINE), path)


def no_hemisphere(place):
    path = next(place.rglob("*hemi-L*.func.gii"))
    next(place.rglob("*hemi-R*.func.gii")).unlink()
    path.rename(path.with_name(path.name.replace("_hemi-L", "")))


def other_step(place):
    for path in place.rglob("*den-91k_bold.json"):
        path.write_text(json.dumps({"RepetitionTime": 0.72}))


def other_hemisphere(place):
    path = next(func(place).glob("*hemi-L*.func.gii"))
    image = nibabel.load(path)
    image.meta["AnatomicalStructurePrimary"] = "CortexRight"
    nibabel.save(image, path)


@pytest.mark.parametrize(
    ("spoil", "space", "options", "expected"),
    [
        (short_hemisphere, "fsaverage5", {}, r"hemi-L.* has 60 samples and that of the right hemisphere 50"),
        (cut_gifti, "fsaverage5", {}, r"hemi-L.*func.gii cannot be read as GIFTI"),
        (no_hemisphere, "fsaverage5", {}, r"does not say its hemisphere \(hemi-L, hemi-R\)"),
        (
            other_hemisphere,
            "fsaverage5",
            {},
            r"hemi-L.* is L by its name, and of the other hemisphere by what it",
        ),
        (cut_cifti, "fsLR", {}, r"dtseries.nii is cut off: by its header it has"),
        (volumes_as_cifti, "fsLR", {}, r"dtseries.nii is a NIfTI file without CIFTI's description"),
        (other_step, "fsLR", {}, r"JSON files say a TR of 0.72 s and its header 2 s: say which by --tr"),
        (None, "fsLR", {"mask": "brain"}, r"--mask is of volumes, and these are surfaces"),
    ],
)
def test_surfaces_that_are_wrong_are_said_in_one_line(spoil, space, options, expected, tmp_path):
    gifti_folder(tmp_path / "study")
    if spoil is not None:
        spoil(tmp_path / "study")
    with pytest.raises(UserError, match=expected) as caught:
        read(tmp_path / "study", space=space, **options)
    assert "\n" not in str(caught.value)


def test_a_series_whose_subjects_ran_at_other_times_is_refused(tmp_path):
    for subject, onset in (("01", 10.0), ("02", 13.0)):
        story = pd.DataFrame({"onset": [onset], "duration": [90.0], "stim_file": ["pie.wav"]})
        write_run(tmp_path, subject, 1, events=story)
    with pytest.raises(UserError, match=r"events of sub-01 and sub-02 are 3 s apart.* by --subject"):
        read(tmp_path, series="yes")
    with pytest.raises(UserError, match=r"confounds of a series are those of one subject.* by --subject"):
        read(tmp_path, series="yes", confounds="wm_csf")
