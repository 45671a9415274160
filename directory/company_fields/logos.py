"""Company logos: checks on upload, and content types."""

from __future__ import annotations

import warnings
from pathlib import PurePath
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile

CONTENT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MOST_BYTES = 1024 * 1024
MOST_PIXELS_A_SIDE = 4000


def check(upload: UploadedFile[bytes]) -> UploadedFile[bytes]:
    """Check an uploaded picture and give it a random file name.

    :raises ValidationError: naming the problem and the limit.
    """
    size = upload.size or 0
    # The size before the content, so that Pillow never reads a large file.
    if size > MOST_BYTES:
        raise ValidationError(f"The picture has {size / MOST_BYTES:.1f} MB; the limit is 1 MB.")
    kind, (width, height) = _look_into(upload)
    if max(width, height) > MOST_PIXELS_A_SIDE:
        raise ValidationError(
            f"The picture is {width} by {height} pixels; the limit is "
            f"{MOST_PIXELS_A_SIDE} on each side."
        )
    # Pillow has moved the position, from which storage would read on.
    upload.seek(0)
    # Not the name of the uploaded file, which could be any path.
    upload.name = f"{uuid4().hex}.{kind.lower()}"
    return upload


def content_type(name: str) -> str:
    """The content type of a stored logo, by the name that :func:`check` gave it."""
    kind = PurePath(name).suffix.removeprefix(".").upper()
    return CONTENT_TYPES.get(kind, "application/octet-stream")


def _look_into(upload: File[bytes]) -> tuple[str, tuple[int, int]]:
    """Kind and size of a picture. Pillow raises many exceptions; all mean a bad file."""
    # Imported here: only an upload needs it.
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # A small file may unpack to gigabytes; Pillow only warns of it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # Without the list Pillow tries every format it knows, whatever the file is called.
            picture = Image.open(upload, formats=list(CONTENT_TYPES))
            kind, size = str(picture.format), picture.size
            # Finds broken files without decoding the pixels.
            picture.verify()
    except Exception as fault:
        raise ValidationError(
            "This is not a PNG, JPEG or WebP picture that can be read."
        ) from fault
    return kind, size
