"""The API key's file on the host: where it lies and who may read it."""

KEY_PATH = "/etc/boxwright/api-key"
KEY_OWNER = "root:llama"
KEY_MODE = "0640"
