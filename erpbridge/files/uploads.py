"""The upload form."""

from __future__ import annotations

from django import forms
from django.core.files.uploadedfile import UploadedFile

from erpbridge.files import table

LIMITS = f"At most {table.MOST_BYTES // 1024 // 1024} MB and {table.MOST_ROWS:,} rows"


def file_field(label: str, *, accept: str, help_text: str) -> forms.FileField:
    """Return a field for one file; ``accept`` is the browser's default filter."""
    return forms.FileField(
        label=label,
        help_text=f"{LIMITS}; {help_text}",
        widget=forms.FileInput(attrs={"accept": accept}),
        error_messages={"required": f"Choose a {label}.", "empty": table.EMPTY},
    )


class UploadForm(forms.Form):
    """A form with a field ``file`` (:func:`file_field`) with a size limit."""

    def clean_file(self) -> UploadedFile[bytes]:
        """Return the upload.

        :raises ValidationError: above the limit.
        """
        upload: UploadedFile[bytes] = self.cleaned_data["file"]
        if (upload.size or 0) > table.MOST_BYTES:
            raise forms.ValidationError(str(table.too_large(upload.size or 0)))
        return upload
