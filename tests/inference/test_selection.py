import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.selection import choose_recording, choose_sequence


@pytest.fixture(scope="module")
def sequences():
    return synthetic_sequences(["S9"], frames=2, actions=["Photo", "Walking"])


def renamed(sequences, **names):
    """The sequences with recordings that have take numbers."""
    import dataclasses

    return [dataclasses.replace(one, name=names.get(one.name, one.name)) for one in sequences]


def test_by_action_and_camera(sequences):
    chosen = choose_sequence(sequences, "Walking", "2")
    assert (chosen.action, chosen.camera.id) == ("Walking", "58860488")
    assert choose_sequence(sequences, "Walking", "58860488") is chosen
    assert choose_sequence(sequences, "TakingPhoto", "0").action == "Photo"


def test_an_action_means_its_first_recording(sequences):
    takes = [*renamed(sequences, Walking="Walking 1"), *renamed(sequences, Walking="Walking 2")]
    assert choose_sequence(takes, "Walking", "0").name == "Walking 1"
    assert choose_sequence(takes, "Walking 2", "0").name == "Walking 2"
    # A recording of exactly that name comes before others of the action.
    assert choose_sequence([*takes, *sequences], "Walking", "0").name == "Walking"


@pytest.mark.parametrize(
    ("action", "camera", "message"),
    [
        (None, "0", "--viz_action needs an action; there are Photo, Walking"),
        ("Walk", "0", "'Walk' is none of S9's; there are Photo, Walking"),
        ("Walking", "4", r"'4' is none of .*there are 0 \(54138969\), 1 .* 3 \(60457274\)"),
        ("Walking", "-1", "'-1' is none of the cameras"),
        ("Walking", "left", "'left' is none of the cameras"),
    ],
)
def test_unknown_ones_are_answered_with_a_list(sequences, action, camera, message):
    with pytest.raises(Pose3DError, match=message):
        choose_sequence(sequences, action, camera)


@pytest.mark.parametrize("subject", [None, "S2", "train"])
def test_unknown_subject(subject):
    with pytest.raises(Pose3DError, match="there are S1, S5, S6, S7, S8, S9, S11"):
        choose_recording("synthetic", None, "uplift_17", subject, "Walking", "0")
