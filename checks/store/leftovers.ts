import { defineCheck } from '../../src/check.ts'
import { leftovers, target } from '../../src/needs/declarations.ts'
import { count } from '../../src/words.ts'

export default defineCheck({
  id: 'store/leftovers',
  title: 'No earlier check left a canary behind',
  severity: 'warning',
  on: ['check'],
  needs: [target, leftovers],
  wants: [],
  facts: { removed: 'count', left: 'count' },
  explain: {
    measures:
      "Looks for canaries of earlier checks: those that a process of this machine noted before it was killed, and those that carry this user's name and are older than an hour by the store's clock. They are removed, and nothing else is.",
    breaks:
      'A check that is killed with -9 cannot remove what it wrote: one canary of up to --traffic bytes, or one open multipart upload, which is paid for and shows in no listing.',
    remedy: 'Nothing is to be done for what was removed. For what could not be removed, the finding says why.',
  },
  async *run({ target, leftovers: { removed, failed, unsure } }) {
    if (removed.length > 0) {
      yield {
        kind: 'finding',
        at: target.name,
        severity: 'info',
        says: `an earlier check was killed and left ${count(removed.length, 'canary', 'canaries')}, now removed: ${removed.slice(0, 3).join(', ')}${removed.length > 3 ? ', …' : ''}`,
        facts: { removed: removed.length },
        remedy: { text: 'Nothing is to be done.' },
      }
    }
    for (const path of unsure) {
      yield {
        kind: 'gap',
        at: `${target.name}/${path}`,
        cannot: 'see',
        because:
          'an earlier check was killed while it asked for a multipart upload, and a tracking server lists none: if it was begun, it is open without any part, and a check with credentials for the store (--artifacts-destination) aborts it once it is an hour old',
        unexpected: false,
        about: 'orphans',
      }
    }
    for (const { path, why } of failed) {
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `an earlier check was killed and left this canary, and it cannot be removed: ${why}`,
        facts: { left: 1 },
        remedy: { text: 'Remove it with the right to delete, or let a user who has it run the check.' },
      }
    }
  },
})
