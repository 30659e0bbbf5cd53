"""Tables for other programs: their contents (`tables`) and their file formats (CSV, XLSX)."""
