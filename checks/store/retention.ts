import { defineCheck } from '../../src/check.ts'
import { keeping, store, target } from '../../src/needs/declarations.ts'

export default defineCheck({
  id: 'store/retention',
  title: 'The container or bucket lets what is stored be replaced and removed',
  severity: 'warning',
  on: ['check'],
  needs: [target, store, keeping],
  wants: [],
  facts: { lock: 'text' },
  explain: {
    measures:
      'On Azure, reads whether the container has a legal hold, an immutability policy or immutable storage, and the days of soft delete of the account. On Google, reads the retention policy, the default hold, soft delete and versioning of the bucket. What S3 has of this is told by store/object-lock.',
    breaks:
      'A file that arrived damaged cannot be replaced under its name, mlflow gc cannot remove artifacts, and an empty or short file stays. Under soft delete or versioning each replaced or removed file goes on to be paid for.',
    remedy:
      'Keep models in a container or bucket without a lock. Where it has to be locked, log a model again under a new name in place of repairing it.',
  },
  async *run({ target, store, keeping: { locked, unread } }) {
    for (const { what, action } of unread) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: `${what} cannot be read with this login, which takes ${action}`,
        unexpected: false,
      }
    }
    if (locked === undefined) return
    yield {
      kind: 'finding',
      at: target.name,
      says: `${store.uri} is under ${locked}: no file there can be replaced or removed before it ends, so a damaged one cannot be repaired under its name`,
      facts: { lock: locked },
      remedy: { text: 'Log to a container or bucket without a lock, or log a damaged model again under a new name.' },
    }
  },
})
