"""Files that people choose and download: tables in CSV and XLSX, read safely and written.

``table`` is what a file holds and why one cannot be taken; ``reading`` takes either kind;
``delimited`` reads and writes CSV, ``workbooks`` XLSX, and ``archives`` looks at a workbook before
anything unpacks it. ``uploads`` is the form, ``refused`` the file of the rows that were not
imported, ``slices`` a page of rows.
"""
