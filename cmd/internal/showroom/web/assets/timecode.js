// Reads the timecode that the test pattern draws along the top edge of the
// picture: 64 cells over the width, W/32 high. Cells 0-3 are 1010, 4-47 the Unix
// time in milliseconds when the frame was made, 48-55 its CRC-8, 56-63 01010101.

const CELLS = 64;
const SYNC = [[0, '1010'], [56, '01010101']];

export class TimecodeReader {
  #canvas = new OffscreenCanvas(CELLS * 4, 1);
  #context = this.#canvas.getContext('2d', {willReadFrequently: true, alpha: false});

  /** Returns the Unix time in ms of the picture on the video, or null without one. */
  read(video) {
    const {videoWidth: width, videoHeight: height} = video;
    if (width < CELLS * 2 || height < 16) return null;
    // One line through the middle of the strip, four pixels a cell.
    this.#context.drawImage(video, 0, Math.floor(width / 64), width, 1, 0, 0, CELLS * 4, 1);
    const {data} = this.#context.getImageData(0, 0, CELLS * 4, 1);
    return decode(cellsOf(data));
  }
}

// The middle of a cell is between its second and third pixel.
function cellsOf(data) {
  const cells = [];
  for (let i = 0; i < CELLS; i++) {
    const at = (4 * i + 1) * 4;
    cells.push((data[at + 1] + data[at + 5]) / 2 > 127 ? 1 : 0);
  }
  return cells;
}

export function decode(cells) {
  for (const [first, pattern] of SYNC) {
    if (cells.slice(first, first + pattern.length).join('') !== pattern) return null;
  }
  const time = number(cells, 4, 44);
  return crc8(time) === number(cells, 48, 8) ? time : null;
}

// Not by shifts: 44 bits are more than JavaScript shifts.
function number(cells, first, count) {
  let value = 0;
  for (let i = first; i < first + count; i++) value = value * 2 + cells[i];
  return value;
}

// Polynomial 0x07, initial value 0, over 6 bytes, the highest first.
function crc8(value) {
  let crc = 0;
  for (let i = 5; i >= 0; i--) {
    crc ^= Math.floor(value / 2 ** (8 * i)) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
  }
  return crc;
}
