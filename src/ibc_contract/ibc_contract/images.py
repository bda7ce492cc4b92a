"""Camera frames: JPEG both ways, and the one way from a frame to an observation."""

import cv2
import numpy as np

from ibc_contract.contract import Contract, ImageObservation
from ibc_contract.errors import IbcError


def encode_jpeg(rgb: np.ndarray, quality: int = 95) -> bytes:
    """Encode an image, shape (H, W, 3) uint8 RGB; `quality` from 1 to 100."""
    done, jpeg = cv2.imencode(
        '.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise IbcError(f'OpenCV could not encode an image of shape {rgb.shape} as JPEG')
    return jpeg.tobytes()


def decode_jpeg(jpeg: bytes) -> np.ndarray:
    """Decode JPEG bytes to an image, shape (H, W, 3) uint8 RGB."""
    data = np.frombuffer(jpeg, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise IbcError(f'{data.size} bytes of a camera frame are not a JPEG image')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def to_observation(rgb: np.ndarray, contract: Contract) -> np.ndarray:
    """Shrink a frame, shape (H, W, 3) uint8 RGB, to the contract's (h, w, 3) by area averaging."""
    match contract.observation:
        case ImageObservation(width_px=width, height_px=height):
            return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    raise IbcError(f'contract {contract.name} observes no images')
