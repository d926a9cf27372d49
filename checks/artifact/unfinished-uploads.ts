import { defineCheck } from '../../src/check.ts'
import { orphanAge, store, target, unfinishedUploads } from '../../src/needs/declarations.ts'
import { bytes, count, duration, shellWord } from '../../src/words.ts'

export default defineCheck({
  id: 'artifact/unfinished-uploads',
  title: 'No abandoned upload takes up room',
  severity: 'warning',
  on: ['scan'],
  answers: ['orphans'],
  needs: [target, store, unfinishedUploads, orphanAge],
  wants: [],
  facts: { parts: 'count', stored: 'bytes', age: 'ms' },
  explain: {
    measures:
      'Asks the store for uploads that were begun and neither completed nor aborted, below the artifact root and for every expected key by name, with their parts. The age counts from the newest part, by the store’s clock.',
    breaks:
      'A killed client leaves its multipart upload open. Its parts are paid for, show in no listing, and no command of MLflow finds or removes them. A folder store keeps the staged file.',
    remedy:
      'Run `mlflow-doctor repair` with --from: parts that match the local file are kept and only the rest is sent. Without a source, --abort-orphans gives the room back. A lifecycle rule for incomplete multipart uploads keeps new ones from staying.',
  },
  async *run({ target, store, unfinishedUploads, orphanAge }) {
    for (const gap of unfinishedUploads.gaps) yield { kind: 'gap', ...gap, about: 'orphans' }
    for (const upload of unfinishedUploads.uploads) {
      const { path, id, parts, stored, lastSign } = upload
      // An unknown or future time counts as young: an upload in progress must never look like an orphan.
      const age =
        lastSign === undefined || unfinishedUploads.now === undefined ? undefined : unfinishedUploads.now - lastSign
      const old = age !== undefined && age >= orphanAge
      const holds =
        parts === undefined ? 'its parts could not be listed' : `${count(parts, 'part')}, ${bytes(stored ?? 0)}`
      const facts = {
        ...(parts === undefined ? {} : { parts }),
        ...(stored === undefined ? {} : { stored }),
        ...(age === undefined ? {} : { age }),
      }
      const at = `${target.name}/${path}`
      if (!old) {
        const since = age === undefined || age < 0 ? 'at an unknown time' : `${duration(age)} ago`
        yield {
          kind: 'active',
          at,
          says: `an unfinished upload (${holds}), last touched ${since}: it may be in progress and is left alone`,
          facts: { ...facts, uploadId: id },
        }
        continue
      }
      yield {
        kind: 'finding',
        at,
        says: `an upload was abandoned ${duration(age)} ago and still holds ${holds} in ${store.uri}`,
        facts,
        remedy: {
          text: 'Repair with the local folder completes it from where it stopped; without a source, repair can give the room back when told to.',
          commands: [`mlflow-doctor repair ${shellWord(target.name)} --from DIR`],
        },
        wants: [{ want: 'upload-settled', target: target.name, path, uploadId: id }],
      }
    }
  },
})
