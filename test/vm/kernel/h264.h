/* SPDX-License-Identifier: GPL-2.0-only */
/* H.264 as simple as it gets: pictures out of macroblocks that are either copied (I_PCM) or left as they were (P_Skip). */
#ifndef VH264ENC_H264_H
#define VH264ENC_H264_H

#include <linux/types.h>

/* What the sequence parameter set says; profile and level as in linux/v4l2-controls.h. */
struct h264_sequence {
	unsigned int width, height;
	unsigned int profile, level;
	unsigned int rate_num, rate_den;
};

/* A picture as 4:2:0: samples of luma are `luma_step` bytes apart, those of one chroma `chroma_step`. */
struct h264_source {
	const u8 *luma, *cb, *cr;
	unsigned int luma_stride, luma_step, chroma_stride, chroma_step;
};

static inline unsigned int h264_macroblocks(const struct h264_sequence *seq)
{
	return DIV_ROUND_UP(seq->width, 16) * DIV_ROUND_UP(seq->height, 16);
}

/* Bytes of a copied macroblock: 384 samples and at most 4 bytes in front (emulation prevention not counted). */
#define H264_MACROBLOCK_BYTES 388

/* Each writes whole NAL units to `to` and returns their size; `room` bytes always suffice for twice the raw picture. */
size_t h264_write_headers(u8 *to, size_t room, const struct h264_sequence *seq);
size_t h264_write_key_picture(u8 *to, size_t room, const struct h264_sequence *seq,
			      const struct h264_source *src, unsigned int idr);
/* Copies `count` macroblocks from number `first` on, and leaves all others as they were in the picture before. */
size_t h264_write_picture(u8 *to, size_t room, const struct h264_sequence *seq,
			  const struct h264_source *src, unsigned int frame_num,
			  unsigned int first, unsigned int count);

#endif
