"""The demo model's shape, and its files in the Hugging Face layout."""
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

PATCH, MERGE, FRAMES = 16, 2, 2
CELL = PATCH * MERGE  # pixels per merged vision token
MIN_PIXELS, MAX_PIXELS = 96 * 96, 160 * 160


def make_config(tokenizer_file):
    """Every linear layer's input width is a multiple of 64, so that NF4 blocks never cross rows."""
    token = Tokenizer.from_file(str(tokenizer_file)).token_to_id
    return Qwen3VLConfig(
        text_config=dict(
            hidden_size=128, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=2, head_dim=32, intermediate_size=384,
            vocab_size=1024, max_position_embeddings=4096, rms_norm_eps=1e-6, tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0, mrope_interleaved=True, mrope_section=[6, 5, 5]),
            bos_token_id=token("<|endoftext|>"), eos_token_id=token("<|im_end|>"),
        ),
        vision_config=dict(
            hidden_size=128, depth=4, num_heads=4, intermediate_size=256, out_hidden_size=128, patch_size=PATCH,
            spatial_merge_size=MERGE, temporal_patch_size=FRAMES, num_position_embeddings=144, deepstack_visual_indexes=[1],
        ),
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"), tie_word_embeddings=True,
    )


def make_model(tokenizer_file, seed):
    torch.manual_seed(seed)
    config = make_config(tokenizer_file)
    config._attn_implementation = "sdpa"
    return Qwen3VLForConditionalGeneration(config)


def patchify(images):
    """Pixels as the model takes them.

    images: B × H × W × 3 in −1..1, H and W multiples of 32.
    Returns (B·patches) × 1536: patches in 2 × 2 merge blocks, each channel by frame (the still twice) by row by column.
    """
    batch, height, width, _ = images.shape
    rows, columns = height // CELL, width // CELL
    x = images.permute(0, 3, 1, 2).reshape(batch, 3, rows, MERGE, PATCH, columns, MERGE, PATCH)
    x = x.permute(0, 2, 5, 3, 6, 1, 4, 7)  # batch, block row, block column, row, column, channel, y, x
    x = x.unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, FRAMES, -1, -1)
    return x.reshape(batch * rows * columns * MERGE * MERGE, 3 * FRAMES * PATCH * PATCH)


def grids(batch, height, width):
    return torch.tensor([[1, height // PATCH, width // PATCH]] * batch)


def export(model, folder):
    """Writes bf16 weights, config and preprocessor settings; the tokenizer's files are there already."""
    folder = Path(folder)
    token = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id
    model.to(torch.bfloat16).save_pretrained(folder)
    preprocessing = {
        "size": {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}, "patch_size": PATCH, "temporal_patch_size": FRAMES,
        "merge_size": MERGE, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "processor_class": "Qwen3VLProcessor",
    }
    files = {
        "preprocessor_config.json": {**preprocessing, "image_processor_type": "Qwen2VLImageProcessorFast"},
        "video_preprocessor_config.json": {**preprocessing, "video_processor_type": "Qwen3VLVideoProcessor"},
        "generation_config.json": {
            "bos_token_id": token("<|endoftext|>"), "pad_token_id": token("<|endoftext|>"),
            "eos_token_id": [token("<|im_end|>"), token("<|endoftext|>")], "do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
