"""Writes a one-layer docker-archive image of one ELF binary, with the shared libraries that it needs.

The same input gives the same bytes, so the archive's digest tells whether an image changed. Standard library only.
"""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile

NONROOT = 65532
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
# glibc opens these by name at run time, so ldd does not list them.
NAME_SERVICE = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")


def shared_libraries(binary: str) -> dict[str, str]:
    """Path in the image -> file on this machine. Empty for a static binary."""
    ldd = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    if ldd.returncode != 0:
        return {}
    if missing := re.findall(r"(\S+) => not found", ldd.stdout):
        sys.exit(f"image: {binary} needs {', '.join(missing)}, which this machine does not have")
    libraries = {}
    for line in ldd.stdout.splitlines():
        if found := re.search(r"(?:=> )?(/\S+) \(0x", line):
            libraries[found.group(1)] = os.path.realpath(found.group(1))
    libc = next((path for path in libraries if "/libc.so." in path), None)
    for name in NAME_SERVICE if libc else ():
        path = os.path.join(os.path.dirname(libc), name)
        if os.path.exists(path):
            libraries[path] = os.path.realpath(path)
    return libraries


def authorities(more: list[str]) -> bytes:
    """Whom the image trusts: whom this machine trusts, and these files' authorities."""
    bundle = b""
    for path in [*filter(os.path.exists, [CERTIFICATES]), *more]:
        with open(path, "rb") as file:
            bundle += file.read()
    return bundle


def layer(binary: str, place: str, more_authorities: list[str]) -> bytes:
    """The file system: the binary, its libraries, users, name service, certificates and empty folders."""
    content: dict[str, tuple[bytes, int]] = {name: (text.encode(), 0o644) for name, text in FILES.items()}
    sources = {place: binary}
    sources |= {path.lstrip("/"): real for path, real in shared_libraries(binary).items()}
    for name, path in sources.items():
        with open(path, "rb") as file:
            content[name] = (file.read(), 0o755)
    if bundle := authorities(more_authorities):
        content[CERTIFICATES.lstrip("/")] = (bundle, 0o644)
    folders = {"tmp": 0o1777, "home/nonroot": 0o755}
    for name in [*content, *folders]:
        while name := os.path.dirname(name):
            folders.setdefault(name, 0o755)

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, folders[name]
            if name == "home/nonroot":
                info.uid = info.gid = NONROOT
            tar.addfile(info)
        for name in sorted(content):
            data, mode = content[name]
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="NAME:TAG")
    parser.add_argument("binary")
    parser.add_argument("output", help="the archive to write")
    parser.add_argument("--place", help="where the binary is in the image; default: /usr/local/bin")
    parser.add_argument("--entrypoint-arg", action="append", default=[])
    parser.add_argument("--authority", action="append", default=[], help="a PEM file that the image trusts too")
    args = parser.parse_args()

    binary = os.path.realpath(args.binary)
    binary = binary if os.path.basename(binary) == os.path.basename(args.binary) else args.binary
    place = (args.place or f"/usr/local/bin/{os.path.basename(binary)}").lstrip("/")
    root = layer(binary, place, args.authority)
    diff_id = hashlib.sha256(root).hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {
            "Entrypoint": [f"/{place}", *args.entrypoint_arg],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            "User": f"{NONROOT}:{NONROOT}",
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
        "history": [{"created_by": "lab/lab.sh image"}],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    config_name = hashlib.sha256(config_bytes).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [args.name], "Layers": [f"{diff_id}/layer.tar"]}]

    parts = {config_name: config_bytes, f"{diff_id}/layer.tar": root, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(args.output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
