"""Writes the trained weights as the Hugging Face directory `checkpoint/`.

    python finish.py --work FOLDER
"""

import train  # first, because it configures XLA before JAX is imported

import argparse
from pathlib import Path

import files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the training checkpoints")
    args = parser.parse_args()
    params, _, step = train.load(args.work / "checkpoint.npz")
    files.write_checkpoint(train.HERE / "checkpoint", params)
    print(f"wrote the weights of step {step} to {train.HERE / 'checkpoint'}")


if __name__ == "__main__":
    main()
