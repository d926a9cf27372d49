import { expect, test } from 'vitest'
import { demandedEncryption } from '../../src/stores/s3-policy.ts'

const header = 's3:x-amz-server-side-encryption'
const denying = (Condition: object, more: object = {}): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: 'arn:aws:s3:::models/*',
      Condition,
      ...more,
    },
  })
const kms = { StringNotEquals: { [header]: 'aws:kms' } }

test.each([
  ['another value than one', denying(kms), ['aws:kms']],
  ['another value, in words of its own', denying({ StringNotLikeIfExists: { [header]: ['AES256'] } }), ['AES256']],
  ['no value at all', denying({ Null: { [header]: 'true' } }), ['AES256', 'aws:kms', 'aws:kms:dsse']],
  ['another value than two', denying({ StringNotEquals: { [header]: ['aws:kms', 'AES256'] } }), ['AES256', 'aws:kms']],
  ['another value than those', denying({ StringNotLike: { [header]: 'aws:kms*' } }), ['aws:kms', 'aws:kms:dsse']],
  ['everything but one, for all accounts', denying(kms, { Principal: { AWS: ['1', '*'] } }), ['aws:kms']],
  ['every action', denying(kms, { Action: ['s3:Get*', 's3:*'] }), ['aws:kms']],
  ['one folder', denying(kms, { Resource: 'arn:aws:s3:::models/1/*' }), ['aws:kms']],
  ['another folder', denying(kms, { Resource: 'arn:aws:s3:::models/2/*' }), undefined],
  ['another bucket', denying(kms, { Resource: 'arn:aws:s3:::model' }), undefined],
  ['one account', denying(kms, { Principal: { AWS: 'arn:aws:iam::1:root' } }), undefined],
  ['reading', denying(kms, { Action: 's3:GetObject' }), undefined],
  ['a value that is there', denying({ Null: { [header]: 'false' } }), undefined],
  ['one value alone', denying({ StringEquals: { [header]: 'AES256' } }), undefined],
  ['under a further condition', denying({ ...kms, Bool: { 'aws:SecureTransport': 'false' } }), undefined],
  ['under two in one', denying({ StringNotEquals: { [header]: 'aws:kms', 'aws:PrincipalTag/a': 'b' } }), undefined],
  ['nothing: it allows', denying(kms, { Effect: 'Allow' }), undefined],
])('a policy that refuses %s', (_, policy, expected) => {
  expect(demandedEncryption(policy, 'models', '1/x')).toEqual(expected)
})

test.each([
  ['arn:aws:s3:::m?dels/*', true],
  ['arn:aws:s3:::*/x', true],
  ['arn:aws:s3:::*/1/*x*', true],
  ['arn:aws:s3:::models/?', false],
  ['*', true],
  ['arn:aws:s3:::models', false],
])('a resource %s that is met: %s', (Resource, met) => {
  expect(demandedEncryption(denying(kms, { Resource }), 'models', '1/x') !== undefined).toBe(met)
})

test('a pattern of many stars is told apart at once', () => {
  const policy = denying(kms, { Resource: `arn:aws:s3:::${'*1'.repeat(30)}` })
  expect(demandedEncryption(policy, 'models', `${'1'.repeat(500)}x`)).toBeUndefined()
})

test.each(['', 'x', 'null', '[]', '{"Statement":[null,1,{"Effect":"Deny"}]}'])('%j demands nothing', (policy) => {
  expect(demandedEncryption(policy, 'models', '1/x')).toBeUndefined()
})
