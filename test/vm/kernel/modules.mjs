/** What the bench builds against Debian's kernel: modules that Debian does not ship, or ships without what a camera needs. GPL-2.0, see README.md. */

/**
 * `files` are paths in Debian's linux-source-6.1, laid out in the build folder under the same paths; `patch` (of this folder, one or several) applies there with -p1;
 * `own` are paths in this folder, laid out in the build folder likewise. `Kbuild` of this folder says how they become modules.
 */
export const modules = [
  {
    // Debian's dummy_hcd has no isochronous transfers, which is how cameras and microphones send.
    name: 'dummy_hcd',
    files: ['drivers/usb/gadget/udc/dummy_hcd.c'],
    patch: 'dummy_hcd-iso.patch',
  },
  {
    // Debian's usb_f_uvc cannot be told which controls (brightness, ...) the camera offers.
    name: 'usb_f_uvc',
    files: [
      ...['f_uvc.c', 'uvc_queue.c', 'uvc_v4l2.c', 'uvc_video.c', 'uvc_configfs.c'],
      ...['f_uvc.h', 'u_uvc.h', 'uvc.h', 'uvc_queue.h', 'uvc_v4l2.h', 'uvc_video.h', 'uvc_configfs.h'],
    ].map((file) => `drivers/usb/gadget/function/${file}`),
    // Nor has it H.264, or the extension unit by which a camera's encoder is told how: both came later than 6.1.
    patch: ['uvc_configfs-controls.patch', 'uvc-h264.patch'],
  },
  {
    // Not in Debian's kernel; irq_sim, which it needs, neither.
    name: 'gpio-sim',
    files: ['drivers/gpio/gpio-sim.c', 'drivers/gpio/gpiolib.h', 'kernel/irq/irq_sim.c'],
    patch: 'irq_sim-module.patch',
  },
  {
    // On amd64 Debian has no driver that would need it.
    name: 'v4l2-mem2mem',
    files: ['drivers/media/v4l2-core/v4l2-mem2mem.c'],
  },
  {
    // A stand-in for the Pi's H.264 encoder.
    name: 'vh264enc',
    files: [],
    own: ['vh264enc-driver.c', 'h264.c', 'h264.h'],
  },
];

/** Programs of the guest: one C file each, of this folder, compiled with `cc -O2 -Wall -static` and found in the guest's PATH by `name`. */
export const programs = [{ name: 'usb-camera', file: 'usb-camera.c' }];
