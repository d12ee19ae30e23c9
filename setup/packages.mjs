/** The Debian packages that makercast needs, by purpose, and why each. Their names are those of Debian 12, which 13 has or provides. */

/** @typedef {'runtime' | 'build' | 'test' | 'bench' | 'fresh' | 'images' | 'vm'} Purpose */

/** @type {Record<Purpose, Record<string, string>>} */
export const packages = {
  runtime: {
    'gstreamer1.0-tools':
      'gst-inspect-1.0 and gst-launch-1.0, to look at and paste the pipelines that `npx makercast plan` prints',
    'gstreamer1.0-plugins-base':
      'appsrc, appsink, videoconvert, videoscale, audioconvert, test sources, decodebin, Ogg and Opus',
    'gstreamer1.0-plugins-good': 'v4l2src and v4l2 codecs, flvmux, flvdemux, jpegdec, level, MP4 and Matroska',
    'gstreamer1.0-plugins-bad': 'rtmp2sink, h264parse, aacparse, voaacenc, MPEG-TS',
    'gstreamer1.0-plugins-ugly': 'x264enc, the software encoder (GPL)',
    'gstreamer1.0-libav': 'avdec_h264 and the decoders for media files',
    'gstreamer1.0-x': 'textoverlay and clockoverlay (Debian keeps pango here)',
    'gstreamer1.0-alsa': 'alsasrc, the microphone',
    'glib-networking': 'TLS for rtmps://',
    'ca-certificates': 'whom to trust for rtmps://',
    'v4l-utils': 'v4l2-ctl, to see what a camera offers',
    'alsa-utils': 'arecord, to see which microphones there are',
  },
  build: {
    'g++': 'compiles the GStreamer binding',
    make: 'drives that',
    python3: 'runs node-gyp',
    'pkg-config': 'tells node-gyp where GStreamer is',
    'libgstreamer1.0-dev': 'headers',
    'libgstreamer-plugins-base1.0-dev': 'headers of appsink and video',
  },
  test: {
    nginx: 'a real server to stream to, run by the tests on free ports of 127.0.0.1',
    'libnginx-mod-rtmp': 'its RTMP module',
    ffmpeg: 'ffmpeg and ffprobe, which judge what arrived and make media files',
    openssl: 'certificates for rtmps:// to a server of our own',
    iproute2: 'ip and tc: network namespaces and slow links',
    tini: 'the first process of the container images, whose entrypoint is tested',
    udev: 'the same: names and rights of devices in a container',
    mosquitto: 'a real MQTT broker, run by the tests on free ports of 127.0.0.1',
    'rabbitmq-server': 'another one, with its MQTT plugin',
  },
  bench: {
    nginx: 'the server to stream to',
    'libnginx-mod-rtmp': 'its RTMP module',
    ffmpeg: 'one of those that makercast is compared with',
    mosquitto: 'the broker over which it is steered',
    strace: 'counts the files that a start opens',
    iproute2: 'ip and tc: networks that are cut, slow or a black hole',
  },
  fresh: {
    mmdebstrap: 'makes the minimal Debian',
    'debian-archive-keyring': 'whom mmdebstrap trusts',
    git: 'clones the commit into it',
    nginx: 'the server outside of it',
    'libnginx-mod-rtmp': 'its RTMP module',
    ffmpeg: 'judges what arrived at the server',
  },
  images: {
    buildah: 'builds the images without a container engine',
    mmdebstrap: 'makes what stands in for the base images',
    'arch-test': 'tells mmdebstrap that this machine can run another architecture',
    'debian-archive-keyring': 'whom mmdebstrap trusts',
    'qemu-user-static': 'runs programs of the ARM architectures',
    git: 'the commit that is built',
    nginx: 'the server that the images stream to',
    'libnginx-mod-rtmp': 'its RTMP module',
    ffmpeg: 'judges what arrived at the server',
  },
  vm: {
    'qemu-system-x86': 'the virtual machine',
    mmdebstrap: 'makes the system that runs in it',
    'debian-archive-keyring': 'whom mmdebstrap trusts',
    e2fsprogs: 'mke2fs, which packs that system into an image',
    'busybox-static': "the machine's first root, from which it mounts the image",
    cpio: 'packs that first root',
    kmod: "depmod and modprobe, which know what a kernel's modules need",
    'gcc-12': "compiles modules against Debian 12's kernel, whose headers call it by this name",
    gcc: 'compiles the program that answers for a USB camera',
    'libc6-dev': 'its C library, to be linked statically',
    libelf1: "what the kernel's own build tools need",
    make: 'drives that',
    patch: "changes the kernel's sources before",
    'xz-utils': "unpacks the kernel's sources",
  },
};

/**
 * What stands for a purpose on systems without dpkg: programs that must be in the PATH. GStreamer's plugins are not
 * looked for here: makercast names the missing one when it needs it.
 * @type {Record<Purpose, string[]>}
 */
export const programs = {
  runtime: ['gst-launch-1.0', 'gst-inspect-1.0'],
  build: ['c++', 'make', 'python3', 'pkg-config'],
  test: ['nginx', 'ffmpeg', 'ffprobe', 'openssl', 'ip', 'tc', 'tini', 'udevadm', 'mosquitto', 'rabbitmq-server'],
  bench: ['nginx', 'ffmpeg', 'strace', 'ip', 'tc', 'mosquitto'],
  fresh: ['mmdebstrap', 'git', 'nginx', 'ffmpeg'],
  images: ['buildah', 'mmdebstrap', 'qemu-arm-static', 'git', 'nginx', 'ffmpeg'],
  vm: ['qemu-system-x86_64', 'mmdebstrap', 'mke2fs', 'busybox', 'cpio', 'depmod', 'cc', 'make', 'patch', 'xz'],
};

/**
 * Of `names`, those that dpkg's status file (`/var/lib/dpkg/status`, given as text) does not call installed, nor provided by what is:
 * Debian 13 has libelf1 as libelf1t64.
 * @param {string} status
 * @param {string[]} names
 */
export function notInstalled(status, names) {
  const text = `\n${status}\n`;
  /**
   * Whether one of the entries that hold `line` is installed.
   * @param {string} line
   * @param {(entry: string) => boolean} counts
   */
  const installed = (line, counts = () => true) => {
    // One package may stand there once for each architecture.
    for (let at = -1; (at = text.indexOf(line, at + 1)) >= 0;) {
      const begin = text.lastIndexOf('\n\n', at) + 1;
      const end = text.indexOf('\n\n', at + 1);
      const entry = text.slice(begin, end < 0 ? undefined : end);
      if (/^Status: \S+ ok installed$/m.test(entry) && counts(entry)) return true;
    }
    return false;
  };
  /** @param {string} name */
  const provided = (name) =>
    installed(` ${name}`, (entry) =>
      (/^Provides: (.*)$/m.exec(entry)?.[1] ?? '').split(', ').some((one) => one.split(/[ :]/)[0] === name),
    );
  return names.filter((name) => !installed(`\nPackage: ${name}\n`) && !provided(name));
}
