"""Example: the three boxes of the article. Copy this file, put in your addresses, keep the shape.

A module-level list is a group of hosts; a host is a name, or (name, data). Data given here wins
over `group_data/all.py`, where every option is explained. Names with a leading underscore are
private.
"""

workstations = [
    (
        "xeon",  # 2x Xeon E5-2698 v4, 128 GB DDR4, 2x Quadro P5000 16 GB
        {
            "ssh_hostname": "xeon.lan",
            "ssh_user": "engineer",
            "_sudo": True,
            "model": "qwen3.5-122b-a10b",
            "server_placement": "cpu-moe",
        },
    ),
    (
        "ryzen",  # Ryzen 9 9950X, 192 GB DDR5, RTX 5090 32 GB
        {"ssh_hostname": "ryzen.lan", "ssh_user": "root", "model": "qwen3.5-122b-a10b"},
    ),
    (
        "pro6000",  # RTX PRO 6000 Blackwell 96 GB
        {"ssh_hostname": "pro6000.lan", "ssh_user": "root", "model": "qwen3.5-122b-a10b"},
    ),
]
