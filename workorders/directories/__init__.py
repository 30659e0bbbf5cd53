"""Reference data of a district: places, units, enterprises, glossary; found by sound."""
