import numpy as np
import pytest

from tf_pose3d.weight_files.crc32c import crc32c, masked_crc32c


# The first four are RFC 3720's examples (appendix B.4), the last the usual check of a CRC's parameters.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_known_checksums(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("length", [1, 1023, 1024, 1025, 5000])
def test_lanes_change_nothing(length):
    data = np.random.default_rng(length).bytes(length)
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data) == register ^ 0xFFFFFFFF


def test_the_mask():
    # As TensorFlow's records write the checksum of a length of 0.
    assert masked_crc32c(bytes(8)) == 0x07980329
