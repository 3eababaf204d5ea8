"""Config keys of LCN, with the release's defaults."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.lcn.graphs import GRAPHS, knn_matrix, random_graph_matrix

__all__ = ["LCNConfig"]


@dataclasses.dataclass
class LCNConfig(TrainingConfig):
    """Keys of `config/lcn_gt.json` and `config/lcn_dt.json`.

    Raises (on `validate`):
        Pose3DError: Also for a mask of another size than the joints, and for other joints out than in.
    """

    ARCH_NAME: ClassVar[str] = "LCN"

    MODE: str = key("gt", "2D poses of the pickles: gt, exact, or dt_ft, detected.", choices=("gt", "dt_ft"))
    DATA_TYPE: str = key(
        "scale", "How coordinates are normalised; the release has one way.", choices=("scale",)
    )
    IN_JOINTS: int = key(17, "Joints read: 17, or 16 without Neck/Nose.", choices=(16, 17))
    OUT_JOINTS: int = key(17, "Joints predicted; those that are read.", choices=(16, 17))
    IN_F: int = key(2, "Numbers per joint that are read: 2, or 3 with a confidence.", choices=(2, 3))
    CHANNELS: int = key(64, "Features per joint.", minimum=1)
    LAYERS: int = key(3, "Residual blocks of two layers each.", minimum=0)
    DROPOUT: float = key(0.25, "Share of features that training drops.", minimum=0, maximum=0.99)
    RESIDUAL: bool = key(True, "Residual blocks.")
    WEIGHT_MAX_NORM: bool = key(True, "Hold each weight matrix at Frobenius norm 1 at most.")
    REGULARIZATION: float = key(0.0, "Factor of half the sum of squared weights in the loss.", minimum=0)
    MASK_TYPE: str = key(
        "locally_connected",
        "The mask as it is, or learned where it is not zero.",
        choices=("locally_connected", "locally_connected_learnable"),
    )
    INIT_TYPE: str = key(
        "random",
        "Where a learned mask starts: the mask itself, ones, or random numbers.",
        choices=("same", "ones", "random"),
    )
    MASK_SOURCE: str = key(
        "knn",
        "What the mask is made of: hops on the graph, its Laplacian (weighted by the limb lengths of the "
        "training labels), or a random graph.",
        choices=("knn", "laplacian", "random_graph"),
    )
    GRAPH: int = key(0, "Which neighbour graph.", minimum=0, maximum=len(GRAPHS) - 1)
    KNN: int = key(3, "Hops on the graph that connect two joints.", minimum=1)
    RANDOM_GRAPH_EDGES: int = key(20, "Edges of the random graph over all joints.", minimum=1)
    RANDOM_GRAPH_SEED: int = key(146, "Its seed.", minimum=0)
    MASK: list[list[float]] | None = key(
        None, "The mask itself, joints x joints: row i, column j scales what joint i gives to joint j."
    )
    DATASET: str | None = key("lcn", "Data set when no --dataset is given; lcn: the release's pickles.")
    TRAIN_SUBSET: str = key("train", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("test", "Subset to validate on when no --val_subset is given.")
    BATCH_SIZE: int = key(200, "Poses per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(200, "Epochs to train.", minimum=0)
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th validation frame is a centre.", minimum=1)
    AUGM_FLIP_PROB: float = key(
        0.0, "Mirrored poses in training: a switch (> 0), not a probability.", minimum=0
    )
    EVAL_FLIP: bool = key(False, "Average the prediction with that for the mirrored input.")
    OPTIMIZER_PARAMS: dict = key({"epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2.")
    SCHEDULE: str = key(
        "ExponentialDecay", "Learning rate schedule; the release also has steps.", choices=SCHEDULE_NAMES
    )
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-3, "decay_steps": 32000, "decay_rate": 0.96},
        "Arguments of the schedule; decay_steps count training steps.",
    )
    BEST_CHECKPOINT_METRIC: str | None = key(
        "loss",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE"),
    )

    @property
    def skeleton(self) -> str:
        """Name of the joint layout."""
        return f"h36m_{self.IN_JOINTS}"

    def mask(self) -> np.ndarray:
        """`(J, J)` float32 that the weights' blocks are multiplied with.

        Raises:
            Pose3DError: A Laplacian mask before the training data have given it.
        """
        if self.MASK is not None:
            return np.array(self.MASK, np.float32)
        if self.MASK_SOURCE == "laplacian":
            raise Pose3DError(
                "MASK_SOURCE laplacian: this mask follows from the training data; train first, or give MASK"
            )
        if self.MASK_SOURCE == "random_graph":
            return random_graph_matrix(
                self.IN_JOINTS, self.RANDOM_GRAPH_EDGES, self.RANDOM_GRAPH_SEED, self.KNN
            ).T
        return knn_matrix(self.KNN, self.GRAPH, self.IN_JOINTS).T

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        joints = self.IN_JOINTS
        if joints != self.OUT_JOINTS:
            raise Pose3DError(
                f"{source}: OUT_JOINTS is {self.OUT_JOINTS}, expected {joints}, as IN_JOINTS: the network "
                "moves the joints that it reads"
            )
        if self.MASK is not None and {len(self.MASK), *map(len, self.MASK)} != {joints}:
            raise Pose3DError(f"{source}: MASK must be {joints} x {joints} numbers, one row per joint")
        if self.MASK is not None and not (np.any(self.MASK, 0).all() and np.any(self.MASK, 1).all()):
            raise Pose3DError(f"{source}: MASK has a row or a column of zeros: a joint without any neighbour")
        if self.MASK is None and self.MASK_SOURCE == "random_graph":
            self.mask()
