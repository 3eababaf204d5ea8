"""The packages of the wheel: with `config/` and `tools/`, which lie beside `tf_pose3d/` in a clone."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[
        *find_namespace_packages(include=["tf_pose3d*"]),
        "tf_pose3d.configs",
        "tf_pose3d.tools",
        "tf_pose3d.tools.fuzzing",
    ],
    package_dir={
        "tf_pose3d.configs": "config",
        "tf_pose3d.tools": "tools",
        "tf_pose3d.tools.fuzzing": "tools/fuzzing",
    },
)
