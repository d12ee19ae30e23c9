// SPDX-License-Identifier: GPL-2.0-only
/* Writes the H.264 of h264.h (ITU-T H.264, clauses 7.3 and B.1). */
#include <linux/kernel.h>
#include <linux/videodev2.h>
#include "h264.h"

#define LOG2_MAX_FRAME_NUM 8

struct writer {
	u8 *at, *end;
	u8 byte;		/* bits that do not fill a byte yet */
	unsigned int bits;	/* how many they are */
	unsigned int zeros;	/* zero bytes just written */
};

static void put_raw(struct writer *w, u8 byte)
{
	if (w->at < w->end)
		*w->at++ = byte;
}

/* Two zero bytes may only be followed by what cannot be taken for a start code. */
static void put_byte(struct writer *w, u8 byte)
{
	if (w->zeros >= 2 && byte <= 3) {
		put_raw(w, 3);
		w->zeros = 0;
	}
	put_raw(w, byte);
	w->zeros = byte ? 0 : w->zeros + 1;
}

static void put_bits(struct writer *w, unsigned int count, u32 value)
{
	while (count--) {
		w->byte = w->byte << 1 | (value >> count & 1);
		if (++w->bits == 8) {
			put_byte(w, w->byte);
			w->bits = 0;
		}
	}
}

/* ue(v): so many zeros as there are bits after the first one of value + 1 */
static void put_ue(struct writer *w, u32 value)
{
	unsigned int length = fls(value + 1);

	put_bits(w, length - 1, 0);
	put_bits(w, length, value + 1);
}

static void align(struct writer *w)
{
	if (w->bits)
		put_bits(w, 8 - w->bits, 0);
}

static void begin_nal(struct writer *w, u8 header)
{
	put_raw(w, 0);
	put_raw(w, 0);
	put_raw(w, 0);
	put_raw(w, 1);
	put_raw(w, header);
	w->zeros = 0;
}

static void end_nal(struct writer *w)
{
	put_bits(w, 1, 1);
	align(w);
}

static const u8 level_idc[] = { 10, 11, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51 };

static void put_profile(struct writer *w, const struct h264_sequence *seq)
{
	u8 profile = 66, constraints = 0;

	switch (seq->profile) {
	case V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE:
		constraints = 0xc0;
		break;
	case V4L2_MPEG_VIDEO_H264_PROFILE_MAIN:
		profile = 77;
		break;
	case V4L2_MPEG_VIDEO_H264_PROFILE_HIGH:
		profile = 100;
		break;
	}
	if (seq->level == V4L2_MPEG_VIDEO_H264_LEVEL_1B)
		constraints |= 0x10;
	put_bits(w, 8, profile);
	put_bits(w, 8, constraints);
	put_bits(w, 8, level_idc[min_t(size_t, seq->level, ARRAY_SIZE(level_idc) - 1)]);
}

static void put_sequence(struct writer *w, const struct h264_sequence *seq)
{
	unsigned int columns = DIV_ROUND_UP(seq->width, 16), rows = DIV_ROUND_UP(seq->height, 16);
	unsigned int right = columns * 16 - seq->width, bottom = rows * 16 - seq->height;

	begin_nal(w, 0x67);
	put_profile(w, seq);
	put_ue(w, 0);			/* seq_parameter_set_id */
	if (seq->profile == V4L2_MPEG_VIDEO_H264_PROFILE_HIGH) {
		put_ue(w, 1);		/* chroma_format_idc: 4:2:0 */
		put_ue(w, 0);		/* bit depth of luma: 8 */
		put_ue(w, 0);		/* bit depth of chroma: 8 */
		put_bits(w, 2, 0);	/* no transform bypass, no scaling matrix */
	}
	put_ue(w, LOG2_MAX_FRAME_NUM - 4);
	put_ue(w, 2);			/* pic_order_cnt_type: shown as they come */
	put_ue(w, 1);			/* max_num_ref_frames */
	put_bits(w, 1, 0);		/* no gaps in frame_num */
	put_ue(w, columns - 1);
	put_ue(w, rows - 1);
	put_bits(w, 2, 3);		/* frames only; direct_8x8_inference */
	put_bits(w, 1, right || bottom);
	if (right || bottom) {
		put_ue(w, 0);
		put_ue(w, right / 2);
		put_ue(w, 0);
		put_ue(w, bottom / 2);
	}
	put_bits(w, 1, 1);		/* VUI parameters, of which only the rate, as the Pi's encoder writes it */
	put_bits(w, 4, 0);		/* no aspect ratio, overscan, video signal type, chroma location */
	put_bits(w, 1, 1);		/* timing_info_present */
	put_bits(w, 32, seq->rate_den);
	put_bits(w, 32, seq->rate_num * 2);
	put_bits(w, 1, 0);		/* fixed_frame_rate */
	put_bits(w, 4, 0);		/* no HRD (twice), no pic_struct, no bitstream restriction */
	end_nal(w);
}

static void put_picture_parameters(struct writer *w)
{
	begin_nal(w, 0x68);
	put_ue(w, 0);			/* pic_parameter_set_id */
	put_ue(w, 0);			/* seq_parameter_set_id */
	put_bits(w, 2, 0);		/* CAVLC; no pic_order in slices */
	put_ue(w, 0);			/* one slice group */
	put_ue(w, 0);			/* one reference */
	put_ue(w, 0);
	put_bits(w, 3, 0);		/* no weighted prediction */
	put_ue(w, 0);			/* pic_init_qp, pic_init_qs, chroma_qp_index_offset: se(0) is written as ue(0) */
	put_ue(w, 0);
	put_ue(w, 0);
	put_bits(w, 3, 4);		/* slices say whether to deblock; no constrained intra, no redundant pictures */
	end_nal(w);
}

static void put_macroblock(struct writer *w, const struct h264_sequence *seq, const struct h264_source *src,
			   unsigned int number, u32 type)
{
	unsigned int columns = DIV_ROUND_UP(seq->width, 16);
	unsigned int left = number % columns * 16, top = number / columns * 16;
	unsigned int x, y, plane;

	put_ue(w, type);
	align(w);
	/* Beyond the edge of the picture its last samples are repeated; cropping hides them. */
	for (y = top; y < top + 16; y++)
		for (x = left; x < left + 16; x++)
			put_byte(w, src->luma[min(y, seq->height - 1) * src->luma_stride +
				       min(x, seq->width - 1) * src->luma_step]);
	for (plane = 0; plane < 2; plane++)
		for (y = top / 2; y < top / 2 + 8; y++)
			for (x = left / 2; x < left / 2 + 8; x++)
				put_byte(w, (plane ? src->cr : src->cb)
					 [min(y, seq->height / 2 - 1) * src->chroma_stride +
					  min(x, seq->width / 2 - 1) * src->chroma_step]);
}

static void begin_slice(struct writer *w, u8 nal, u32 type, unsigned int frame_num)
{
	begin_nal(w, nal);
	put_ue(w, 0);			/* first_mb_in_slice */
	put_ue(w, type);
	put_ue(w, 0);			/* pic_parameter_set_id */
	put_bits(w, LOG2_MAX_FRAME_NUM, frame_num);
}

size_t h264_write_headers(u8 *to, size_t room, const struct h264_sequence *seq)
{
	struct writer w = { .at = to, .end = to + room };

	put_sequence(&w, seq);
	put_picture_parameters(&w);
	return w.at - to;
}

size_t h264_write_key_picture(u8 *to, size_t room, const struct h264_sequence *seq,
			      const struct h264_source *src, unsigned int idr)
{
	struct writer w = { .at = to, .end = to + room };
	unsigned int i;

	begin_slice(&w, 0x65, 7, 0);
	put_ue(&w, idr & 0xff);		/* idr_pic_id: differs from that of the IDR picture before */
	put_bits(&w, 2, 0);		/* no_output_of_prior_pics, long_term_reference */
	put_ue(&w, 0);			/* slice_qp_delta */
	put_ue(&w, 1);			/* no deblocking */
	for (i = 0; i < h264_macroblocks(seq); i++)
		put_macroblock(&w, seq, src, i, 25);
	end_nal(&w);
	return w.at - to;
}

size_t h264_write_picture(u8 *to, size_t room, const struct h264_sequence *seq,
			  const struct h264_source *src, unsigned int frame_num,
			  unsigned int first, unsigned int count)
{
	struct writer w = { .at = to, .end = to + room };
	unsigned int all = h264_macroblocks(seq), i;

	begin_slice(&w, 0x41, 5, frame_num % (1 << LOG2_MAX_FRAME_NUM));
	put_bits(&w, 3, 0);		/* references as usual, none reordered, sliding window */
	put_ue(&w, 0);			/* slice_qp_delta */
	put_ue(&w, 1);			/* no deblocking */
	for (i = 0; i < count; i++) {
		put_ue(&w, i ? 0 : first);	/* mb_skip_run */
		put_macroblock(&w, seq, src, first + i, 5 + 25);
	}
	if (count == 0)
		put_ue(&w, all);
	else if (first + count < all)
		put_ue(&w, all - first - count);
	end_nal(&w);
	return w.at - to;
}
