/** What the card holds of the steering from afar, as other releases have written it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../agent/machine/storage/storage.js';
import { onCard, stateFormat, stateName } from '../../agent/steering/remembered.js';
import { folderFor } from '../helpers/command.js';

test('the reason of a roll-back that 0.1 wrote has its remedy by both names, and so has one of today', async (t) => {
  const storage = new Storage(await folderFor(t), (fault) => assert.fail(fault));
  const decision = { version: 3, hash: '0', release: '0.1.0', status: 'rolled_back', proved: false, errors: [] };
  const reason = { code: 'change_undone', what: 'The stream was gone.', mend: 'The last good settings are back.' };
  const decisions = { device: { ...decision, reason }, page: decision };
  await storage.writeState(stateName, stateFormat, { kept: { documents: {}, secrets: {} }, decisions });
  const read = await onCard(storage);
  const both = { ...reason, remedy: reason.mend };
  assert.deepEqual(read.decisions, { device: { ...decision, reason: both }, page: decision });
  await storage.writeState(stateName, stateFormat, read);
  assert.deepEqual((await onCard(storage)).decisions, read.decisions);
});
