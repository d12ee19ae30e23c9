/** The announcement by which Home Assistant knows this device (device discovery, since 2024.11): a switch, a number and sensors. */

/** What slows a board down, by its name for people. */
const strains = [
  ['Under-voltage', 'underVoltage'],
  ['Too hot', 'hot'],
  ['Throttled', 'throttled'],
] as const;

export interface Announced {
  readonly id: string;
  /** `<base>/v1/<id>/`. */
  readonly prefix: string;
  readonly release: string;
  readonly board?: string | undefined;
  /** kbit/s. */
  readonly bitrate: { readonly min: number; readonly max: number };
  readonly telemetrySeconds: number;
}

/** Payload of `<prefix>/device/<id>/config`. Templates are Jinja, run by Home Assistant; ids are fixed, since these commands may come again. */
export function announcement({ id, prefix, release, board, bitrate, telemetrySeconds }: Announced): object {
  // Three that were lost: it is not known any more.
  const expireAfter = Math.max(60, 3 * telemetrySeconds);
  const named = (name: string, more: object): object => ({ name, unique_id: `makercast_${id}_${slug(name)}`, ...more });
  const figure = (name: string, field: string, more: object): object =>
    named(name, {
      p: 'sensor',
      state_topic: `${prefix}telemetry`,
      value_template: `{{ value_json.${field} | default(none) }}`,
      state_class: 'measurement',
      expire_after: expireAfter,
      ...more,
    });
  const problem = (name: string, field: string): object =>
    named(name, {
      p: 'binary_sensor',
      device_class: 'problem',
      entity_category: 'diagnostic',
      state_topic: `${prefix}telemetry`,
      value_template: `{{ 'ON' if (value_json.strain | default({})).${field} | default('') == 'now' else 'OFF' }}`,
      expire_after: expireAfter,
    });
  const command = (args: string): string => `{"id":"home-assistant","args":${args}}`;
  const components = [
    named('On the air', {
      p: 'switch',
      icon: 'mdi:broadcast',
      state_topic: `${prefix}state`,
      // A restart or an update does not switch it off; after the end of a film it can be switched on again.
      value_template:
        "{{ 'ON' if value_json.wanted == 'on air' and value_json.state not in ['idle', 'ended'] else 'OFF' }}",
      state_on: 'ON',
      state_off: 'OFF',
      command_topic: `${prefix}cmd/on-air`,
      payload_on: command('{"on":true}'),
      payload_off: command('{"on":false}'),
    }),
    named('Bitrate', {
      p: 'number',
      icon: 'mdi:speedometer',
      ...bitrate,
      step: 50,
      mode: 'box',
      unit_of_measurement: 'kbit/s',
      state_topic: `${prefix}telemetry`,
      value_template: '{{ value_json.bitrateKbps | default(none) }}',
      command_topic: `${prefix}cmd/adjust`,
      command_template: command('{"path":"video.bitrateKbps","value":{{ value | int }}}'),
    }),
    named('State', { p: 'sensor', state_topic: `${prefix}state`, value_template: '{{ value_json.state }}' }),
    figure('Frame rate', 'fps', { unit_of_measurement: 'frames/s' }),
    figure('Media rate', 'kbps', { unit_of_measurement: 'kbit/s', device_class: 'data_rate' }),
    figure('Temperature', 'temperature', { unit_of_measurement: '°C', device_class: 'temperature' }),
    // Other machines do not tell, and would seem to have no trouble.
    ...(board?.startsWith('Raspberry Pi') ? strains.map(([name, field]) => problem(name, field)) : []),
  ];
  return {
    dev: {
      ids: [`makercast_${id}`],
      name: `makercast ${id}`,
      mf: 'makercast',
      sw: release,
      ...(board ? { mdl: board } : {}),
    },
    o: { name: 'makercast', sw: release },
    availability: [
      {
        topic: `${prefix}state`,
        value_template: "{{ 'offline' if value_json.state in ['lost', 'stopped'] else 'online' }}",
      },
    ],
    cmps: Object.fromEntries(components.map((each) => [slug((each as { name: string }).name), each])) as object,
  };
}

const slug = (name: string): string => name.toLowerCase().replace(/[ -]/g, '_');
