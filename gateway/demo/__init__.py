"""The demo PBX and its calls: real wire protocols, recorded voices."""
