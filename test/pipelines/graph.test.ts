/** Elements and links as the text that GStreamer parses, and what is kept out of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caps, element, launchText, pad, pipelineText } from '../../pipelines/graph.js';

const text = (...set: Parameters<typeof element>[1][]): string => launchText(set.map((each) => element('x', each)));

test('a step is linked to the next, but for the two pads by which a chain goes through an element', () => {
  const chain = [pad('demux'), caps('video/x-h264'), pad('tracks', 'sink_0'), pad('tracks', 'src_0'), element('queue')];
  assert.equal(launchText(chain), 'demux. ! video/x-h264 ! tracks.sink_0 tracks.src_0 ! queue');
  assert.equal(pipelineText([[element('a'), pad('mux', 'video')], [element('mux')]]).text, 'a ! mux.video\nmux');
});

test('properties and caps stand in their order, in quotation marks where the text would end or be read otherwise', () => {
  assert.equal(text({ name: 'venc', bitrate: 2500, aud: false }), 'x name=venc bitrate=2500 aud=false');
  assert.equal(text({ font: 'Sans Bold 28', extra: 'controls,a=1' }), 'x font="Sans Bold 28" extra="controls,a=1"');
  assert.equal(text({ location: '/dev/fd/3' }), 'x location=/dev/fd/3');
  const small = caps('video/x-raw', { width: 320, framerate: '30/1' });
  assert.equal(text({ caps: small }), 'x caps=video/x-raw,width=320,framerate=30/1');
  assert.equal(text({ caps: [small, caps('image/jpeg')] }), 'x caps="video/x-raw,width=320,framerate=30/1;image/jpeg"');
});

test('what is set apart is in no text, and goes by the name of its element', () => {
  const made = pipelineText([
    [element('filesrc', { name: 'file' }, { location: '/media/a ! b.mp4' }), element('fakesink')],
  ]);
  assert.deepEqual(made, {
    text: 'filesrc name=file ! fakesink',
    properties: [{ element: 'file', property: 'location', value: '/media/a ! b.mp4' }],
  });
});
