"""Workbooks for Excel: a file of rows becomes an .xlsx, in a child process and in constant memory.

`task` runs in the child, `workbook` writes the file (ECMA-376: a ZIP of XML parts), `cells` decides what a cell is.
"""
