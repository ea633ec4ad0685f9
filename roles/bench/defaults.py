"""Options of the bench role."""

# bench_prompt_tokens: lengths of the prompts, in tokens; what the context does not hold is left out
# bench_decode_tokens: how many tokens are asked for after each prompt
# bench_repeat: how often each prompt is asked
# bench_timeout_s: how long one answer may take, in seconds
# bench_memory: whether the bandwidth of host RAM is measured too, for which sysbench is installed
DEFAULTS: dict[str, object] = {
    "bench_prompt_tokens": (64, 4096),
    "bench_decode_tokens": 128,
    "bench_repeat": 3,
    "bench_timeout_s": 1800,
    "bench_memory": True,
}
