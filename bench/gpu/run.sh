#!/bin/sh
# Unpacks the benchmark beside itself and runs it: sh run.sh [--json FILE] [--table FILE] ... (sh run.sh --help says more).
# Needs a Linux for x64 with glibc and libstdc++, and a GPU driver with Vulkan; nothing else, and no network.
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/unpacked}
if [ ! -f "$work/complete" ]; then
  rm -rf "$work"
  mkdir -p "$work"
  gzip -dc "$here/packages/app.tar.gz" | tar -xf - -C "$work"
  gzip -dc "$here/packages/node.gz" > "$work/node"
  gzip -dc "$here/packages/dawn.node.gz" > "$work/app/node_modules/webgpu/dist/linux-x64/dawn.node"
  chmod +x "$work/node"
  touch "$work/complete"
fi

# A machine for computing often lacks the Vulkan loader, or the file that names the driver, though the driver has Vulkan.
if [ -z "$VK_ICD_FILENAMES$VK_DRIVER_FILES" ]; then
  found=$(ls /etc/vulkan/icd.d/*.json /usr/share/vulkan/icd.d/*.json 2>/dev/null | head -n 1 || true)
  if [ -z "$found" ] && [ -e /dev/nvidia0 ]; then
    for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
      printf '{"file_format_version":"1.0.1","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$library" > "$work/$library.json"
    done
    VK_ICD_FILENAMES="$work/libGLX_nvidia.so.0.json:$work/libEGL_nvidia.so.0.json"
    export VK_ICD_FILENAMES
  fi
fi
if [ -d "$work/loader" ] && ! ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1'; then
  LD_LIBRARY_PATH="$work/loader${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export LD_LIBRARY_PATH
fi
: "${XDG_RUNTIME_DIR:=/tmp}"
export XDG_RUNTIME_DIR
for option in "$@"; do
  case "$option" in --json|--table|--help) chosen=yes ;; esac
done
if [ -z "$chosen" ]; then set -- --json "$here/results.json" --table "$here/results.md" "$@"; fi
exec "$work/node" "$work/app/js/main.mjs" "$@"
