"""What roles share: the operation decorator, refusal, plan of this host, lock, reboot, transfer."""

from boxwright.operation.api_key import ApiKey, read_key
from boxwright.operation.ask import Ask
from boxwright.operation.carry import Collect, Upload
from boxwright.operation.completion import answer_of, ask_host, decode_tok_s, server_ask, timings_of
from boxwright.operation.components import component_stanzas, is_sourced_elsewhere
from boxwright.operation.curl import curl_options, curl_proxy_options, curl_quoted
from boxwright.operation.dnf_repositories import enable_repositories
from boxwright.operation.files import absent, rendered, written_private
from boxwright.operation.hub_file import UNREACHABLE_CURE, hub_file_url, hub_headers
from boxwright.operation.kernels import headers_of_kernel, newest_of_flavour
from boxwright.operation.lines import Lines
from boxwright.operation.lock import take_lock
from boxwright.operation.manager import Manager, Package, quoted
from boxwright.operation.nvidia import (
    nvidia_fingerprint,
    nvidia_key_urls,
    nvidia_redist_url,
    nvidia_repository_url,
)
from boxwright.operation.nvidia_key import have_nvidia_key
from boxwright.operation.options import Endpoints, endpoints_for_host, option
from boxwright.operation.packages import (
    available_packages,
    install_packages,
    installed_packages,
    manager_of_host,
    update_lists,
)
from boxwright.operation.packs import Pack, dropped_if_damaged, keep_pack, kept_pack, pack_part
from boxwright.operation.planning import (
    NO_SERVER,
    SILENT,
    is_silent,
    machine_of_host,
    model_for_host,
    plan_for_host,
    release_assets,
    source_tree,
    wanted_for_host,
)
from boxwright.operation.reboot import is_this_machine, reboot_into_new_boot
from boxwright.operation.recent import recently
from boxwright.operation.releases import stamped_as_planned
from boxwright.operation.rpmfusion import rpmfusion_releases
from boxwright.operation.sizes import MIB, hashing_timeout_s, size_text
from boxwright.operation.space import BUILDS, PACKED, Need, disk_of, no_room, release_needs
from boxwright.operation.step import Commands, RefusalCommand, attempt, noop, operation, refuse
from boxwright.operation.transfer import Download, fetch
from boxwright.operation.write import add_line, write_whole
from boxwright.plan import args_digest, hardware_digest, modules_digest

__all__ = [
    "BUILDS",
    "MIB",
    "NO_SERVER",
    "PACKED",
    "SILENT",
    "UNREACHABLE_CURE",
    "ApiKey",
    "Ask",
    "Collect",
    "Commands",
    "Download",
    "Endpoints",
    "Lines",
    "Manager",
    "Need",
    "Pack",
    "Package",
    "RefusalCommand",
    "Upload",
    "absent",
    "add_line",
    "answer_of",
    "args_digest",
    "ask_host",
    "attempt",
    "available_packages",
    "component_stanzas",
    "curl_options",
    "curl_proxy_options",
    "curl_quoted",
    "decode_tok_s",
    "disk_of",
    "dropped_if_damaged",
    "enable_repositories",
    "endpoints_for_host",
    "fetch",
    "hardware_digest",
    "hashing_timeout_s",
    "have_nvidia_key",
    "headers_of_kernel",
    "hub_file_url",
    "hub_headers",
    "install_packages",
    "installed_packages",
    "is_silent",
    "is_sourced_elsewhere",
    "is_this_machine",
    "keep_pack",
    "kept_pack",
    "machine_of_host",
    "manager_of_host",
    "model_for_host",
    "modules_digest",
    "newest_of_flavour",
    "no_room",
    "noop",
    "nvidia_fingerprint",
    "nvidia_key_urls",
    "nvidia_redist_url",
    "nvidia_repository_url",
    "operation",
    "option",
    "pack_part",
    "plan_for_host",
    "quoted",
    "read_key",
    "reboot_into_new_boot",
    "recently",
    "refuse",
    "release_assets",
    "release_needs",
    "rendered",
    "rpmfusion_releases",
    "server_ask",
    "size_text",
    "source_tree",
    "stamped_as_planned",
    "take_lock",
    "timings_of",
    "update_lists",
    "wanted_for_host",
    "write_whole",
    "written_private",
]
