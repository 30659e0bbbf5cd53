"""Tables for other programs: what stands in them (`tables`), and how they are written (CSV, XLSX)."""
