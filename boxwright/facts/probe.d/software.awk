# The NVIDIA driver and our own release and service.
section == "module" && /^version:/ && module_version == "" { module_version = $2 }
section == "module" && /^license:/ && module_license == "" {
    module_license = $0
    sub(/^license:[ \t]*/, "", module_license)
}
section == "library" { library = $0; sub(/.*libnvidia-ml\.so\./, "", library) }
section == "service" {
    if (at == 1) service_state = $0
    else if (at == 2) service_pid = $0
    else service_model = substr($0, 7)
    next
}
function nvidia_part(    text, loaded, flavour) {
    text = get(root "/proc/driver/nvidia/version")
    loaded = get(root "/sys/module/nvidia/version")
    if (loaded == "") loaded = version_in(text)
    if (module_license ~ /^NVIDIA/) flavour = "proprietary"
    else if (module_license ~ /MIT/) flavour = "open"
    else if (text != "") flavour = text ~ /Open Kernel Module/ ? "open" : "proprietary"
    begin()
    put("loaded", known(loaded))
    put("installed", known(module_version))
    put("flavour", known(flavour))
    put("userspace", known(version_in(library)))
    return end()
}
function llama_part(    path, i, build) {
    path = root runtime "/current/boxwright.json"
    for (i = 1; i <= length_of[path]; i++)
        if (match(content[path, i], /"build"[ \t]*:[ \t]*"[^"]*"/)) {
            build = substr(content[path, i], RSTART, RLENGTH - 1)
            sub(/.*"/, "", build)
        }
    begin()
    put("build", known(build))
    put("service", quote(service_state))
    put("model", known(service_model))
    return end()
}
