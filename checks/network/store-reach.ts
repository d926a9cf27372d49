import { defineCheck } from '../../src/check.ts'
import { storeReach } from '../../src/needs/declarations.ts'
import { facts, judge } from './reach.ts'

export default defineCheck({
  id: 'network/store-reach',
  title: 'The artifact store can be reached from this machine',
  severity: 'error',
  on: ['check', 'scan'],
  needs: [storeReach],
  wants: [],
  facts,
  explain: {
    measures:
      'Where the client sends artifacts to the store itself: looks up the name of the endpoint, connects, makes the TLS handshake and sends one request without credentials, each phase timed apart. Any HTTP answer counts, a refusal too.',
    breaks:
      'Tracking works, parameters and metrics arrive, and every artifact fails: the store has another host, another proxy rule and another certificate than the tracking server.',
    remedy:
      'The message names the phase that failed and the variable that mends it: MLFLOW_S3_ENDPOINT_URL, AWS_CA_BUNDLE, MLFLOW_S3_IGNORE_TLS, for Azure and Google AZURE_STORAGE_CONNECTION_STRING, STORAGE_EMULATOR_HOST and REQUESTS_CA_BUNDLE, or NO_PROXY.',
  },
  async *run({ storeReach: reach }) {
    const finding = judge(reach, 'the artifact store')
    if (finding) yield finding
  },
})
