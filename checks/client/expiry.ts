import { defineCheck, type Finding } from '../../src/check.ts'
import { logins, route } from '../../src/needs/declarations.ts'
import { duration } from '../../src/words.ts'

const facts = { login: 'text', expiresAt: 'text' } as const

export default defineCheck({
  id: 'client/expiry',
  title: 'The logins of the client outlast the training and the upload',
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [logins],
  wants: [route],
  facts,
  explain: {
    measures:
      'Reads when the logins end that MLflow would use: the `exp` of a JSON Web Token in MLFLOW_TRACKING_TOKEN or in the password, the end of a temporary AWS session (AWS_CREDENTIAL_EXPIRATION, or what login tools write into the profile), an SSO session without a refresh token, a web identity token, unless it is one that a kubelet renews, and the end of a shared access signature for Azure. Tokens are decoded, never verified and never shown. The forecast compares the time that is left with `--training-time` and the upload together. Keys that do not end, and logins that botocore renews by itself, are passed over.',
    breaks:
      'A token that was read when the training began is sent as it is hours later: 401 or ExpiredToken, after the training and before the last byte. MLflow and boto3 do not read a variable again that is changed outside their process.',
    remedy:
      'Get a login that lasts longer, or get it just before the upload: by a profile with a role, a credential_process or an SSO session that botocore renews, in place of variables.',
  },
  async *run({ logins: { expiring, now }, route: by }) {
    for (const { name, to, at, unless, renew } of expiring) {
      // Keys for a store that the client never speaks to do not matter.
      if (to !== 'server' && (by === undefined || by.proxied || by.scheme.replace(/^(wasb|abfs)$/, '$1s') !== to))
        continue
      const commands = renew === undefined ? {} : { commands: [renew] }
      if (at === undefined) {
        yield {
          kind: 'gap',
          at: name,
          cannot: 'see',
          because: `${name} holds a temporary login that does not tell when it ends (AWS_CREDENTIAL_EXPIRATION is not set); such a login lasts at most 36 hours, and usually one`,
          unexpected: false,
          about: 'limits',
        }
        continue
      }
      const when = new Date(at).toISOString()
      const left = Math.max(0, at - now)
      if (left === 0) {
        yield {
          kind: 'finding',
          at: name,
          ...(unless !== undefined && { severity: 'warning' as const }),
          says: `${name} has ended ${duration(now - at)} ago (${when})`,
          facts: { login: name, expiresAt: when },
          remedy: { text: 'Log in again.', ...commands },
        } satisfies Finding<typeof facts>
      }
      yield {
        kind: 'limit',
        hop: 'client',
        setting: name,
        scope: 'total',
        max: { ms: left },
        basis: unless === undefined ? 'measured' : 'assumed',
        ...(to !== 'server' && { routes: ['store-multipart', 'store-put'] as const }),
        because: `${name} ends in ${duration(left)} (${when})${unless === undefined ? '' : `, unless ${unless}`}`,
        remedy: (needed) => ({
          text: `Use a login that lasts ${needed === undefined ? 'longer' : `at least ${duration(needed)} from now`}, or one that is renewed while the training runs.`,
          ...commands,
        }),
      }
    }
  },
})
