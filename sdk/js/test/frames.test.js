// Both forms: what is written, what is read, what is refused.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FormError, binary, bodyBytes, decodeFrames, decodeObjects, encodeFrame, formOf, json } from '../src/frames.js';
import { frame } from './lib/comet.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const texts = (frames) => frames.map(({ op, seq, id, body, pushed }) => [op, seq, id, Buffer.from(body).toString(), pushed]);

test('a frame has the header of docs/protocol.md', () => {
    assert.equal(hex(encodeFrame(7, 1, 'secret')), '00000016001000010000000700000001736563726574');
    assert.equal(hex(encodeFrame(18, -1, undefined)), '000000100010000100000012ffffffff');
});

test('bodies: bytes as they are, strings as UTF-8, other values as JSON', () => {
    assert.equal(hex(bodyBytes(new Uint8Array([0, 255]))), '00ff');
    assert.equal(hex(bodyBytes(new Uint8Array([1, 2]).buffer)), '0102');
    assert.equal(hex(bodyBytes('é')), 'c3a9');
    assert.equal(Buffer.from(bodyBytes({ a: [1] })).toString(), '{"a":[1]}');
    assert.equal(bodyBytes(undefined).length, 0);
});

test('a bare frame, and a batch without the frame around it', () => {
    assert.deepEqual(texts(decodeFrames(frame({ op: 3, seq: 7, body: 'abcd' }))), [[3, 7, undefined, 'abcd', false]]);
    const inside = Buffer.concat([frame({ op: 5, body: 'one' }), frame({ op: 1000, body: '' }),
                                  frame({ op: 5, seq: 3, id: '18446744073709551615', body: 'three' })]);
    const data = new Uint8Array(frame({ op: 9, body: inside })).buffer;
    assert.deepEqual(texts(decodeFrames(data)), [[5, 0, undefined, 'one', true], [1000, 0, undefined, '', true],
                                                 [5, 3, '18446744073709551615', 'three', true]]);
});

test('a longer header stays readable', () => {
    const known = frame({ op: 5, id: '1', body: 'x' });
    const longer = Buffer.concat([known.subarray(0, 24), Buffer.from('more....'), Buffer.from('x')]);
    longer.writeUInt32BE(longer.length, 0);
    longer.writeUInt16BE(32, 4);
    assert.deepEqual(texts(decodeFrames(longer)), [[5, 0, '1', 'x', false]]);
});

test('frames that are cut, or say wrong lengths, are refused', () => {
    const whole = frame({ op: 5, body: 'body' });
    for (let length = 1; length < whole.length; length++)
        assert.throws(() => decodeFrames(whole.subarray(0, length)), FormError, `${length} bytes`);
    for (const [at, value] of [[0, 15], [0, whole.length + 1], [0, 0xffffffff], [4, 15 << 16], [4, 200 << 16]]) {
        const wrong = Buffer.from(whole);
        wrong.writeUInt32BE(value, at);
        assert.throws(() => decodeFrames(wrong), FormError, `${value} at ${at}`);
    }
    assert.throws(() => decodeFrames('text'), FormError);
    assert.throws(() => decodeFrames(frame({ op: 9, body: 'no frame' })), FormError);
});

test('what is cut by chance is refused or read, and never loops', () => {
    for (let i = 0; i < 2000; i++) {
        const bytes = Buffer.concat([frame({ op: 9, body: frame({ op: 5, id: '9', body: 'abc' }) })]);
        for (let n = 0; n < 3; n++)
            bytes[Math.floor(Math.random() * bytes.length)] = Math.floor(Math.random() * 256);
        try {
            decodeFrames(bytes);
        } catch (error) {
            assert.ok(error instanceof FormError, error);
        }
    }
});

test('JSON: objects with ver, op, seq, body; an id makes a push', () => {
    assert.equal(json.encode(7, 1, 'secret'), '{"ver":1,"op":7,"seq":1,"body":"secret"}');
    assert.equal(json.encode(2, 2, undefined), '{"ver":1,"op":2,"seq":2,"body":{}}');
    assert.deepEqual(decodeObjects('[{"ver":0,"op":5,"seq":0,"body":{"a":1}},{"op":5,"seq":4,"id":"12","body":"x"}]'), [
        { version: 0, op: 5, seq: 0, body: { a: 1 }, pushed: false },
        { version: 0, op: 5, seq: 4, id: '12', body: 'x', pushed: true }]);
});

test('JSON that is not comet\'s is refused', () => {
    for (const text of ['', '{', '{"op":5}', '[1]', '[null]', '[{"op":"5"}]', '[{"op":5,"seq":1.5}]',
                        '[{"op":5,"id":12}]', '[{"op":5,"id":"x"}]', '[{"op":5,"id":"123456789012345678901"}]'])
        assert.throws(() => decodeObjects(text), FormError, text);
    assert.throws(() => decodeObjects(new ArrayBuffer(16)), FormError);
});

test('bodies that comet writes as JSON', () => {
    assert.deepEqual(binary.value(new Uint8Array(0)), {});
    assert.deepEqual(binary.value(Buffer.from('{"code":9}')), { code: 9 });
    assert.deepEqual(json.value({ code: 9 }), { code: 9 });
    assert.throws(() => formOf('xml'), /'binary' nor 'json'/);
});
