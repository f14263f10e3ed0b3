"""Training on several processes: the script of chapter 13 and what starts it.

- `course_utils.distributed.train`: the training script, the same for one worker and for many.
- `course_utils.distributed.checkpoint`: checkpoints that a crash cannot spoil.
- `course_utils.distributed.launch`: starts the script from a notebook and cleans up after it.
- `course_utils.distributed.torchrun`: torchrun whose sockets nobody outside can reach.
"""
