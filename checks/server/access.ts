import { defineCheck } from '../../src/check.ts'
import {
  access,
  bodyLimit,
  leftovers,
  multipartCanary,
  route,
  target,
  transfers,
} from '../../src/needs/declarations.ts'

const remedy = {
  text: 'Ask an administrator of the server for EDIT on the experiment, log in as a user who has it, or log to an experiment of your own.',
}

export default defineCheck({
  id: 'server/access',
  title: 'The login may log to the experiment',
  severity: 'error',
  on: ['check'],
  needs: [target, route, access],
  wants: [],
  facts: { status: 'count' },
  explain: {
    measures:
      "Asks the tracking server to set a tag of the experiment without saying which, and to delete an artifact that does not exist. Neither changes anything, and the answer tells whether this login would be allowed to: MLflow's basic-auth looks at the login first and at the request afterwards.",
    breaks:
      'A user with READ on an experiment can open it, train for hours, and is refused (403) when the run is created or the model is logged.',
    remedy:
      'EDIT on the experiment is what logging needs. Removing artifacts needs MANAGE: without it no canary can be written through the server, because it could not be removed again, and the rates of that route stay unknown.',
  },
  async *run({ target, route, access: { log, remove } }) {
    if (log === false) {
      const because = 'the server refuses this login to write to the experiment (403)'
      yield {
        kind: 'limit',
        hop: 'server',
        setting: 'permission to write',
        scope: 'file',
        max: { bytes: 0 },
        basis: 'measured',
        because,
        remedy: () => remedy,
      }
      yield {
        kind: 'finding',
        at: target.name,
        says: because,
        facts: { status: 403 },
        remedy,
        stops: [bodyLimit, leftovers, multipartCanary, transfers].map(({ name }) => name),
      }
    } else if (route.proxied && remove === false) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because:
          'this login may write artifacts and not delete them (in MLflow that takes MANAGE on the experiment), so no whole canary is written through the server: it could not be removed again',
        unexpected: false,
        about: 'limits',
      }
    }
  },
})
