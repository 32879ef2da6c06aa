import {speak} from './words.js';

speak();
