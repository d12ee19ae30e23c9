/** The lines of the kernel's log that concern cameras, codec, USB, memory and power. Pure. */

/** Drivers and subsystems by what their lines begin with, behind the time; and what the kernel says where memory or voltage is short. */
const concerned =
  /^(?:\[[\d. ]+\] )?(?:bcm2\d{3}|bm2835|raspberrypi|rpi|rp1|uvcvideo|v4l2|videodev|video\d|mc:|media|unicam|imx\d|ov\d|arducam|usb|usbcore|hub |dwc|xhci|vc4|vc_sm|vchiq|mmal|snd|hwmon|brcmfmac|cma|Memory:|Reserved memory|OF: reserved|Out of memory|oom|Under-?voltage|Voltage|hung_task|INFO: task)/i;
/** It identifies somebody's device among others of its kind. */
const personal = /SerialNumber: |: Manufacturer: |\bserial(?: number)?[:=]/i;

/** The beginning shows what the machine has, the end what went wrong. */
const most = { first: 120, last: 120 };
/** A driver that quotes what it was given may say much. */
const widest = 300;

/** The lines that matter, in their order, at most some two hundred, with a line for those that are left out. */
export function concerning(lines: readonly string[]): string[] {
  const found = lines
    .filter((line) => concerned.test(line) && !personal.test(line))
    .map((line) => (line.length <= widest ? line : `${line.slice(0, widest)} (and more)`));
  const left = found.length - most.first - most.last;
  if (left <= 0) return found;
  return [...found.slice(0, most.first), `(${left} lines were left out here)`, ...found.slice(-most.last)];
}
