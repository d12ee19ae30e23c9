/** Some of a thousand devices in one process: MQTT, settings and steering as they are, the media in stand-ins. Told by its arguments, ended by SIGTERM. */
import path from 'node:path';
import { Device } from '../test/helpers/mqtt/device.js';

const [url = '', first = '0', count = '1', folder = ''] = process.argv.slice(2);
const devices = Array.from({ length: Number(count) }, (_, i) => {
  const id = `device-${Number(first) + i}`;
  const env = { MQTT_URL: url, MQTT_ID: id, MQTT_GROUPS: 'fleet', MQTT_TELEMETRY_SECONDS: '60' };
  return new Device(path.join(folder, id), { env });
});
await Promise.all(devices.map((device) => device.start()));
process.on('SIGTERM', () => process.exit(0));
