/** Frame rates as GStreamer writes them: fractions. */

/** `30/1` for 30, `30000/1001` for 29.97; three decimals for what is neither whole nor of the NTSC kind. */
export function fraction(fps: number): string {
  const whole = Math.round(fps);
  if (Math.abs(fps - whole) < 0.001) return `${whole}/1`;
  // 1000/1001 of a whole rate, as drivers and files round it (29.97, 29.970, 23.976): within 0.005.
  if (Math.abs(fps - (whole * 1000) / 1001) < 0.005) return `${whole * 1000}/1001`;
  return `${Math.round(fps * 1000)}/1000`;
}
