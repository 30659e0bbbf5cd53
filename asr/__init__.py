"""Speech recognition: audio sources, segmentation, engine pool, transcript, evaluation."""
