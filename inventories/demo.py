"""The simulated lab: four hosts as `scripts/lab up` made them, read from that lab's lab.json.

Only data: what is pretended there (hardware, and the internet) is said here by the same options
that any user has for mirrors, drop-ins and environments. BOXWRIGHT_LAB names the lab.
"""

import json as _json

from tests.lab import settings as _settings

_lab = _json.loads((_settings.current().state / "lab.json").read_text())
_addresses = {_host["host"]: _host for _host in _lab["hosts"]}

_oldest_build = min((_build["build"] for _build in _lab["builds"]), key=lambda name: int(name[1:]))

_AS_IT_IS = "{% for message in messages %}{{ message['content'] }}{% endfor %}"

# A host is a container without CAP_SYS_RESOURCE: only CAP_IPC_LOCK lets mlock take effect there.
# Mesa uses a cache of shaders only where it may write.
_DROPIN = """\
[Service]
AmbientCapabilities=CAP_IPC_LOCK
ReadWritePaths=-/var/cache/mesa-shaders
"""

# Where things come from: the lab's servers in place of the internet.
_common = {
    "ssh_key": _lab["ssh"]["key"],
    "ssh_known_hosts_file": _lab["ssh"]["known_hosts"],
    "ssh_strict_host_key_checking": "yes",
    "models_hub_url": _lab["hub_url"],
    "models_catalog": _lab["models"],
    "runtime_release_api_url": _lab["release_url"],
    "runtime_asset_rows": [_row for _build in _lab["builds"] for _row in _build["asset_rows"]],
    "driver_nvidia_repository_url": _lab["nvidia"]["repository_url"],
    "driver_nvidia_fingerprints": _lab["nvidia"]["keys"],
    "server_api_key_file": _lab["api_key_file"],
    "server_context": 4096,
    # each start measures a completion; of a GPU in software its speed says nothing
    "server_decode_tokens": 8,
    "server_dropins": {"lab": _DROPIN},
}

# A GPU is Mesa's software Vulkan device; its compiled shaders are kept between starts.
_shaders = {"MESA_SHADER_CACHE_DIR": "/var/cache/mesa-shaders"}


def _host(name: str, **data: object) -> tuple[str, dict[str, object]]:
    login = {"ssh_hostname": _addresses[name]["address"], "ssh_user": _addresses[name]["user"]}
    return name, {**_common, **login, **data}


lab_hosts = [
    _host(
        "xeon",
        _sudo=True,
        model="tiny-moe",
        server_placement="cpu-moe",
        server_environment={**_shaders, "GGML_VK_VISIBLE_DEVICES": "0,0"},
    ),
    _host(
        "ryzen",
        model="tiny-moe",
        server_placement="cpu-moe",
        server_environment={**_shaders, "GGML_VK_VISIBLE_DEVICES": "0"},
    ),
    _host(
        "pro6000",
        model="tiny-moe",
        server_environment={**_shaders, "GGML_VK_VISIBLE_DEVICES": "0"},
    ),
    _host(
        "plain",
        model="gemma-3-270m",
        runtime_build=_oldest_build,
        # a base model knows no chat: it continues what is said
        server_extra_args=("--chat-template", _AS_IT_IS),
    ),
]
