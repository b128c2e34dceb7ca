"""The parts of the report, one file each: tables and numbers in, a `page.Section` out."""
