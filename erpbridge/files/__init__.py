"""Upload and download of tables as CSV and XLSX.

``table`` is the content of a file, with the reasons to reject one; ``read`` detects the format;
``delimited`` reads and writes CSV, ``workbooks`` XLSX; ``archives`` checks a workbook before it is
unpacked. ``uploads`` is the form, ``errors`` the file of the rows that were not imported,
``slices`` a page of rows.
"""
