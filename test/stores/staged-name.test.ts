import { expect, test } from 'vitest'
import { finalPath, isStaged, newStagedName } from '../../src/stores/staged-name.ts'

test.each(['model.bin', 'data/ü 🙂.bin', 'a/b/-x-', 'x'.repeat(200)])(
  'a staging name tells that it is for %j',
  (path) => {
    const staged = newStagedName(path)
    expect(isStaged(staged)).toBe(true)
    expect(staged).not.toContain('/')
    const folder = path.includes('/') ? `${path.slice(0, path.lastIndexOf('/'))}/` : ''
    expect(finalPath(`${folder}${staged}`)).toBe(path)
  },
)

test('two of them differ', () => {
  expect(newStagedName('a')).not.toBe(newStagedName('a'))
})

test('a long name gives a staging name that fits, and tells nothing', () => {
  const staged = newStagedName('🙂'.repeat(60))
  expect(Buffer.byteLength(staged)).toBeLessThan(256)
  expect(finalPath(staged)).toBeUndefined()
})

test.each(['.artifact.uploading.abc', '.artifact.uploading.mlflow-doctor-xyz', 'model.bin'])(
  '%s tells no final name',
  (name) => {
    expect(finalPath(name)).toBeUndefined()
  },
)
