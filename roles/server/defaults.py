"""Options of the server role that say how to act; arguments and environment are in the plan."""

# server_api_key_file: file here (mode 0600) with the API keys, one per line; None: loopback only
# server_dropins: texts of systemd drop-ins for the unit, by name
# server_start_base_s: time a start may take beside reading the model, in seconds; the first one
#     on a Pascal card compiles its kernels (reference/llama-cpp.md, section 5)
# server_disk_read_mib_s: how slow the model disk may read or write, in MiB/s; gives the start's
#     deadlines
# server_decode_tokens: how many tokens the measured completion asks for
# server_answer_timeout_s: how long that completion may take, in seconds
DEFAULTS: dict[str, object] = {
    "server_api_key_file": None,
    "server_dropins": {},
    "server_start_base_s": 900,
    "server_disk_read_mib_s": 100,
    "server_decode_tokens": 32,
    "server_answer_timeout_s": 600,
}
