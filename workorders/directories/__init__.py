"""Reference data (places, units, enterprises, glossary), searchable by sound."""
